/* SPDX-License-Identifier: Apache-2.0 */
/* Every sub-command's function and help text; the table in main.c gives them their words. */
#ifndef POSTERN_COMMAND_COMMANDS_H
#define POSTERN_COMMAND_COMMANDS_H

#include "command.h"

#define COMMAND(name)                                                                              \
	int cmd_##name(int argc, char **argv);                                                     \
	extern const char help_##name[]

COMMAND(init);
COMMAND(status);
COMMAND(operator_keygen);
COMMAND(operator_add);
COMMAND(operator_list);
COMMAND(secret_put);
COMMAND(secret_list);
COMMAND(secret_show);
COMMAND(secret_delete);
COMMAND(secret_undelete);
COMMAND(secret_destroy);
COMMAND(secret_settings);
COMMAND(secret_remove);
COMMAND(machine_register);
COMMAND(machine_pending);
COMMAND(machine_admit);
COMMAND(machine_list);
COMMAND(machine_show);
COMMAND(machine_suspend);
COMMAND(machine_readmit);
COMMAND(machine_group);
COMMAND(baseline_capture);
COMMAND(baseline_add);
COMMAND(baseline_list);
COMMAND(baseline_predict);
COMMAND(baseline_lint);
COMMAND(baseline_end);
COMMAND(policy_show);
COMMAND(policy_apply);
COMMAND(policy_fmt);
COMMAND(policy_authorize);
COMMAND(policy_validate);
COMMAND(policy_check_parse);
COMMAND(policy_schema);
COMMAND(policy_delete);
COMMAND(policy_check);
COMMAND(anchor_add);
COMMAND(anchor_list);
COMMAND(crl_add);
COMMAND(crl_list);
COMMAND(crl_end);
COMMAND(ima_key_add);
COMMAND(ima_key_list);
COMMAND(ima_allow_add);
COMMAND(ima_allow_list);
COMMAND(ima_allow_end);
COMMAND(revoke);
COMMAND(explain);
COMMAND(audit_tail);
COMMAND(audit_verify);
COMMAND(ek_verify);
COMMAND(eventlog);
COMMAND(ima);
COMMAND(enroll);
COMMAND(fetch);
COMMAND(quote_verify);
COMMAND(unseal);
COMMAND(tpm_seal);
COMMAND(witness);
COMMAND(seal);
COMMAND(seal_status);
COMMAND(shares_verify);
COMMAND(rotate);
COMMAND(rekey_authorize);
COMMAND(rekey);
COMMAND(thaw);
COMMAND(backup);
COMMAND(restore);
COMMAND(store_check);

#undef COMMAND

#endif
