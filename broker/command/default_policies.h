/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POSTERN_COMMAND_DEFAULT_POLICIES_H
#define POSTERN_COMMAND_DEFAULT_POLICIES_H

/* The policies that a new broker starts with: Cedar texts, applied under these names by `postern
 * init`. */
struct default_policy {
	const char *name;
	const char *text;
};
#define DEFAULT_POLICY_COUNT 2
extern const struct default_policy default_policies[DEFAULT_POLICY_COUNT];

#endif
