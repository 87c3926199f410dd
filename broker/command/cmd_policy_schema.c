/* SPDX-License-Identifier: Apache-2.0 */
/* postern policy schema: what policies of a broker may speak of. Asks no broker. */
#include "commands.h"
#include "wire/schema.h"

#include <stdio.h>

/* clang-format off: these lines are as wide as they will be read. */
const char help_policy_schema[] =
	"postern policy schema\n"
	"\n"
	"Prints the Cedar schema that a broker of this version validates policies against: which "
	"machines,\n"
	"groups, operators, roles, secrets, folders and baselines there are, which actions, and "
	"what a\n"
	"policy may ask of `context`: the claims that a machine's TPM proved. Asks no broker.\n"
	"\n"
	"Example: postern policy schema > broker.cedarschema\n";
/* clang-format on */

int
cmd_policy_schema(int argc, char **argv)
{
	struct text_list positional;

	if (arguments_parse(argc, argv, NULL, 0, &positional) != 0 ||
	    arguments_expect(&positional, 0, 0, "nothing") != 0)
		return EX_USAGE;
	if (fwrite(broker_schema, 1, broker_schema_size, stdout) != broker_schema_size)
		return EX_IOERR;
	return 0;
}
