/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POSTERN_COMMAND_DEVICE_PATH_H
#define POSTERN_COMMAND_DEVICE_PATH_H

#include "words.h"

/* A UEFI device path (UEFI 2.10, 10) in the short text form of its 10.6.1.6:
 * "PciRoot(0x0)/Pci(0x3,0x0)/HD(1,GPT,...)/\EFI\debian\shimx64.efi". Nodes that are not known are
 * Path(type,subtype); what does not parse ends it with "?". */
void words_add_device_path(struct words *words, struct bytes path);

#endif
