/* SPDX-License-Identifier: Apache-2.0 */
/* Forms of text that frames carry. Private to wire. */
#ifndef POSTERN_WIRE_TEXT_H
#define POSTERN_WIRE_TEXT_H

#include "attest/bytes.h"

/* Well-formed UTF-8 (RFC 3629) without NUL. */
bool text_utf8(struct bytes text);
/* The same without what moves a cursor or hides text: controls, line separators, bidirectional
 * overrides. */
bool text_printable(struct bytes text);
/* Printable ASCII that needs no escape in JSON. */
bool text_plain(struct bytes text);
/* Exactly `size` bytes of [0-9a-f]. */
bool text_hex(struct bytes text, size_t size);
bool text_equals(struct bytes text, const char *word);

#endif
