/* SPDX-License-Identifier: Apache-2.0 */
/* One work load on the in-memory backend, again and again: each time another of its steps fails. */
#include "fixture.h"
#include "load.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static struct memory_map *map;
static struct memory_fault chosen;
static unsigned calls[MEMORY_STEPS]; /* to the fault or to the end */

static enum store_status
open_backend(const struct load_fault *fault, bool create, struct backend **ret_backend,
	     struct store_error *err)
{
	(void)fault;
	(void)create;
	(void)err;
	*ret_backend = backend_memory_open(map);
	return STORE_OK;
}

static void
begin(const struct load_fault *fault)
{
	(void)fault;
	memory_map_fail(map, &chosen);
}

static bool
happened(const struct load_fault *fault)
{
	(void)fault;
	return memory_map_failed(map);
}

static void
end(const struct load_fault *fault)
{
	(void)fault;
	for (int i = 0; i < MEMORY_STEPS; i++)
		calls[i] = memory_map_calls(map, (enum memory_step)i);
	memory_map_fail(map, &(struct memory_fault){0});
}

static void
rest(const struct load_fault *fault, bool paused)
{
	(void)fault;
	memory_map_pause(map, paused);
}

static const struct memory_fault faults[] = {
	{.step = MEMORY_VIEW_OPEN, .status = STORE_IO},
	{.step = MEMORY_VIEW_OPEN, .status = STORE_MEMORY, .lasts = true},
	{.step = MEMORY_GET, .status = STORE_IO},
	{.step = MEMORY_GET, .status = STORE_IO, .lasts = true},
	{.step = MEMORY_NEXT, .status = STORE_IO},
	{.step = MEMORY_NEXT, .status = STORE_IO, .lasts = true},
	{.step = MEMORY_APPLY, .status = STORE_SPACE},
	{.step = MEMORY_APPLY, .status = STORE_READONLY, .lasts = true},
	{.step = MEMORY_APPLY, .status = STORE_IO, .lasts = true},
	{.step = MEMORY_ANSWER, .status = STORE_UNSURE},
	{.step = MEMORY_ANSWER, .status = STORE_UNSURE, .lasts = true},
	{.step = MEMORY_SLOT_READ, .status = STORE_IO},
	{.step = MEMORY_SLOT_READ, .status = STORE_IO, .lasts = true},
	{.step = MEMORY_SLOTS_WRITE, .status = STORE_SPACE},
	{.step = MEMORY_SLOTS_WRITE, .status = STORE_IO, .lasts = true},
	{.step = MEMORY_SLOTS_SYNC, .status = STORE_IO},
	{.step = MEMORY_SLOTS_SYNC, .status = STORE_READONLY, .lasts = true},
};
#define FAULT_COUNT (sizeof faults / sizeof faults[0])

static void
carry_out(const struct memory_fault *fault)
{
	const struct load_fault load = {
		.wanted = LOAD_BIT(fault->status),
		.may_be_unsure = fault->status == STORE_UNSURE,
		.open_backend = open_backend,
		.begin = begin,
		.happened = happened,
		.end = end,
		.pause = rest,
	};

	chosen = *fault;
	map = memory_map_new();
	load_carry_out(&load);
	memory_map_free(map);
}

static bool
carry_out_in_a_child(const struct memory_fault *fault)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		carry_out(fault);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return false;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	fprintf(stderr, "step %d, call %u, status %d%s: not survived\n", (int)fault->step,
		fault->at, fault->status, fault->lasts ? " for a while" : "");
	return false;
}

int
main(void)
{
	unsigned tried = 0, failed = 0, all[MEMORY_STEPS];

	carry_out(&(struct memory_fault){0}); /* to count */
	for (int i = 0; i < MEMORY_STEPS; i++)
		all[i] = calls[i];
	for (size_t i = 0; i < FAULT_COUNT; i++) {
		struct memory_fault fault = faults[i];
		for (fault.at = 1; fault.at <= all[fault.step]; fault.at++) {
			failed += !carry_out_in_a_child(&fault);
			tried++;
		}
	}
	printf("%u steps made to fail, %u of them not survived\n", tried, failed);
	return failed > 0 || tried < 100;
}
