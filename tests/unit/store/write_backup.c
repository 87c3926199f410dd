/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a backup of a populated store to standard output, for read_backup.py. The root key is 0x5a
 * in each byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "tape.h"

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

int
main(void)
{
	auto_tape tape = {0};
	void *state = NULL;

	if (fixture_setup_lmdb(&state) != 0)
		return EXIT_FAILURE;
	struct fixture *fixture = state;
	populate(fixture->store);
	tape.store = fixture->store;
	must_back_up(fixture, &tape);
	bool written = fwrite(tape.bytes, 1, tape.size, stdout) == tape.size;
	fixture_free(fixture);
	return written ? EXIT_SUCCESS : EXIT_FAILURE;
}
