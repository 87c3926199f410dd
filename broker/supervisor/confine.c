/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a role may still do once it has all it needs open. Three layers: no capabilities; Landlock
 * takes the file system and, where the kernel can, TCP and signals away; a seccomp allow-list
 * takes every system call away that the role does not use.
 */
#include "filter.h"
#include "role.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- capabilities ---- */

/* What root holds is nobody's in a role: with CAP_SYS_PTRACE an owned door would read the
 * keeper's memory. */
bool
capabilities_drop(enum role_kind kind)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct held[_LINUX_CAPABILITY_U32S_3] = {0};
	if (syscall(SYS_capget, &header, held) != 0)
		return false;
	uint32_t kept = kind == ROLE_KEEPER ? held[0].permitted & 1u << CAP_IPC_LOCK : 0;
	const struct __user_cap_data_struct left[_LINUX_CAPABILITY_U32S_3] = {
		{.effective = kept, .permitted = kept},
	};
	/* As under a unit, whose filter may not even let it be asked for. */
	if (memcmp(held, left, sizeof(held)) == 0)
		return true;
	return syscall(SYS_capset, &header, left) == 0;
}

/* ---- Landlock ---- */

/* By ABI, as in the kernel's Documentation/userspace-api/landlock.rst: the build machine's header
 * may be older than the kernel it runs on. */
struct ruleset {
	uint64_t file_system;
	uint64_t network; /* ABI 4 */
	uint64_t scoped;  /* ABI 6 */
};
#define FILE_SYSTEM_ABI_1    0x1fffULL	  /* execute ... make symbolic links */
#define FILE_SYSTEM_REFER    (1ULL << 13) /* ABI 2 */
#define FILE_SYSTEM_TRUNCATE (1ULL << 14) /* ABI 3 */
#define FILE_SYSTEM_IOCTL    (1ULL << 15) /* ABI 5 */
#define FILE_READ_AND_WRITE  0x6ULL	  /* of files that are there: no making, no removing */
#define NETWORK_TCP	     0x3ULL	  /* bind and connect */
#define SCOPE_ALL	     0x3ULL	  /* abstract sockets and signals */

static size_t
ruleset_for(long abi, struct ruleset *ret_rules)
{
	struct ruleset rules = {.file_system = FILE_SYSTEM_ABI_1};
	if (abi >= 2)
		rules.file_system |= FILE_SYSTEM_REFER;
	if (abi >= 3)
		rules.file_system |= FILE_SYSTEM_TRUNCATE;
	if (abi >= 5)
		rules.file_system |= FILE_SYSTEM_IOCTL;
	if (abi >= 4)
		rules.network = NETWORK_TCP;
	if (abi >= 6)
		rules.scoped = SCOPE_ALL;
	*ret_rules = rules;
	return abi >= 6 ? sizeof(rules) : abi >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
}

/* Files beneath the folder that are there may be opened again. */
static bool
permit_folder(int ruleset, const struct ruleset *rules, const char *folder)
{
	int descriptor = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (descriptor < 0)
		return false;
	const struct landlock_path_beneath_attr rule = {
		.allowed_access = FILE_READ_AND_WRITE | (rules->file_system & FILE_SYSTEM_TRUNCATE),
		.parent_fd = descriptor,
	};
	bool added =
		syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
	close(descriptor);
	return added;
}

/* But for the folder no rule is added to the set: nothing of what it handles is permitted. What is
 * open stays so. */
bool
landlock_deny(const char *folder, bool *ret_denied)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	*ret_denied = abi >= 0;
	/* Not in this kernel, not enabled, or kept from us by the unit's own filter: seccomp
	 * remains. */
	if (abi < 0)
		return errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM;
	struct ruleset rules;
	size_t size = ruleset_for(abi, &rules);
	long descriptor = syscall(SYS_landlock_create_ruleset, &rules, size, 0);
	if (descriptor < 0)
		return false;
	bool denied = (folder == NULL || permit_folder((int)descriptor, &rules, folder)) &&
		      syscall(SYS_landlock_restrict_self, (int)descriptor, 0) == 0;
	close((int)descriptor);
	return denied;
}

bool
role_confine(enum role_kind kind)
{
	return role_confine_beside(kind, NULL);
}

bool
role_confine_beside(enum role_kind kind, const char *folder)
{
#ifdef POSTERN_SANITIZED
	/* The sanitizers' run time maps files, starts a process to look for leaks, and reads
	 * /proc/self. */
	(void)folder;
	return kind < ROLE_COUNT;
#else
	bool denied = false;
	const char *layer = NULL;
	if (!capabilities_drop(kind))
		layer = "capabilities";
	else if (!landlock_deny(folder, &denied))
		layer = "Landlock";
	else if (!filter_install(kind, folder != NULL && denied))
		layer = "seccomp";
	if (layer == NULL)
		return true;
	role_complain("%s: %s", layer, strerror(errno));
	return false;
#endif
}
