/* SPDX-License-Identifier: Apache-2.0 */
/* Every decoder of broker/wire in one table: unit tests spoil its samples, the fuzz target goes
 * on from there. */
#ifndef POSTERN_TESTS_WIRE_CODECS_H
#define POSTERN_TESTS_WIRE_CODECS_H

#include "attest/bytes.h"

struct wire_codec {
	const char *name;
	/* False: refused. Else what was decoded is encoded again. */
	bool (*recode)(struct bytes encoded, struct writer *w);
	/* A sample with every part of it there. */
	void (*sample)(struct writer *w);
};
extern const struct wire_codec wire_codecs[];
extern const unsigned wire_codec_count;

#endif
