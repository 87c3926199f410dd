/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a role may still do once it has all it needs. Two layers: Landlock takes the file system
 * (not the keeper's) and, where the kernel can, TCP and signals away; a seccomp allow-list takes
 * every system call away that the role does not use.
 */
#include "filter.h"
#include "role.h"

#include <errno.h>
#include <linux/landlock.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

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

/* No rule is added to the set: nothing of what it handles is permitted. The keeper, which lives
 * on its store's files, keeps the file system. */
static bool
deny(bool file_system)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	/* Not in this kernel, not enabled, or kept from us by the unit's own filter: seccomp
	 * remains. */
	if (abi < 0)
		return errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM;
	struct ruleset rules;
	size_t size = ruleset_for(abi, &rules);
	if (!file_system)
		rules.file_system = 0;
	if (!file_system && abi < 4) /* nothing is left, and the kernel wants something */
		return true;
	long descriptor = syscall(SYS_landlock_create_ruleset, &rules, size, 0);
	if (descriptor < 0)
		return false;
	bool denied = syscall(SYS_landlock_restrict_self, (int)descriptor, 0) == 0;
	close((int)descriptor);
	return denied;
}

bool
role_confine(enum role_kind kind)
{
#ifdef POSTERN_SANITIZED
	/* The sanitizers' run time maps files, starts a process to look for leaks, and reads
	 * /proc/self. */
	(void)deny;
	return kind < ROLE_COUNT;
#else
	if (!deny(kind != ROLE_KEEPER)) {
		role_complain("Landlock: %s", strerror(errno));
		return false;
	}
	/* The door's calls are OpenSSL's and the sockets', the keeper's the store's: Landlock is
	 * what they get. */
	if (kind == ROLE_DOOR || kind == ROLE_KEEPER)
		return true;
	if (!filter_install(kind)) {
		role_complain("seccomp: %s", strerror(errno));
		return false;
	}
	return true;
#endif
}
