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

/* The table's rows of control.h, in wire_codecs_control.c. */
#define CONTROL_ROW(name)                                                                          \
	bool recode_control_##name(struct bytes encoded, struct writer *w);                        \
	void sample_control_##name(struct writer *w)
CONTROL_ROW(share);
CONTROL_ROW(key);
CONTROL_ROW(reset);
CONTROL_ROW(rekey);
CONTROL_ROW(rekeyed);
CONTROL_ROW(rekey_commit);
CONTROL_ROW(witness);
CONTROL_ROW(thaw);
CONTROL_ROW(state);
CONTROL_ROW(checked);
CONTROL_ROW(progress);
CONTROL_ROW(answer);
#undef CONTROL_ROW

/* Of frozen.h, in wire_codecs_frozen.c. */
#define FROZEN_ROW(name)                                                                           \
	bool recode_##name(struct bytes encoded, struct writer *w);                                \
	void sample_##name(struct writer *w)
FROZEN_ROW(frozen_record);
FROZEN_ROW(witness_record);
FROZEN_ROW(backup_label);
#undef FROZEN_ROW

#endif
