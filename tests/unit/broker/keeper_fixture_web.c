/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper_fixture_web.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int
web_set_up(void **state)
{
	struct house *house = house_set_up(state, WEB_RULES);

	house_put(house, "web/key", text_bytes(VALUE));
	house_put(house, "web/broken", text_bytes(VALUE));
	house_put(house, "booted/key", text_bytes(VALUE));
	house_put(house, "other/key", text_bytes(VALUE));
	return 0;
}

int
web_tear_down(void **state)
{
	char *audit = house_audit(*state);

	assert_null(strstr(audit, VALUE));
	free(audit);
	return house_tear_down(state);
}

void
assert_explained(struct house *house, const struct guest *guest, const char *what)
{
	struct operation_request request = {.operation = OPERATION_EXPLAIN};
	uint8_t count[8];

	operation_set_text(&request, FIELD_MACHINE, guest->id);
	operation_set_number(&request, FIELD_COUNT, 1, count);
	struct house_answer answer = house_operate(house, &house->alice, &request);
	assert_int_equal(answer.outcome, OUTCOME_OK);
	if (!strstr(answer.json, what))
		fail_msg("no %s in %s", what, answer.json);
	free(answer.json);
}

char *
machine_shown(struct house *house, const struct guest *guest)
{
	struct operation_request request = {.operation = OPERATION_MACHINE_SHOW};

	operation_set_text(&request, FIELD_MACHINE, guest->id);
	struct house_answer answer = house_operate(house, &house->alice, &request);
	assert_int_equal(answer.outcome, OUTCOME_OK);
	return answer.json;
}

void
assert_state(struct house *house, const struct guest *guest, const char *state)
{
	char want[64];
	char *json = machine_shown(house, guest);

	snprintf(want, sizeof(want), "\"state\":\"%s\"", state);
	if (!strstr(json, want))
		fail_msg("not %s: %s", state, json);
	free(json);
}
