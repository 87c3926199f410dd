/* SPDX-License-Identifier: Apache-2.0 */
/* A request's JSON: the first byte selects the route. What becomes a frame meets the keeper's
 * decoder, which may refuse it: of what a name may hold the gateway knows nothing. */
#include <stdlib.h>

#include "gateway/routes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
keeper_reads(const struct route_frame *frame)
{
	union {
		struct wire_challenge_request challenge;
		struct wire_release_request release;
		struct wire_enroll_request enroll;
		struct wire_activate_request activate;
		struct wire_operator_challenge_request operator_challenge;
		struct wire_operator_request operator_request;
	} request;
	struct bytes body = {frame->memory, frame->size};

	if (frame->type == FRAME_CHALLENGE)
		return wire_challenge_request_read(body, &request.challenge);
	if (frame->type == FRAME_RELEASE)
		return wire_release_request_read(body, &request.release);
	if (frame->type == FRAME_ENROLL)
		return wire_enroll_request_read(body, &request.enroll);
	if (frame->type == FRAME_ACTIVATE)
		return wire_activate_request_read(body, &request.activate);
	if (frame->type == FRAME_OPERATOR_CHALLENGE)
		return wire_operator_challenge_request_read(body, &request.operator_challenge);
	return frame->type == FRAME_OPERATOR_REQUEST &&
	       wire_operator_request_read(body, &request.operator_request);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = {"/v1/attest/challenge", "/v1/attest/release",
					    "/v1/attest/enroll", "/v1/operator/challenge",
					    "/v1/operator/request"};
	const struct route *route;
	struct route_frame frame;
	const char *problem;

	if (size == 0 || data[0] >= sizeof(paths) / sizeof(paths[0]) ||
	    route_find("POST", paths[data[0]], &route) != ROUTE_FOUND)
		return 0;
	if (route_request(route, (struct bytes){data + 1, size - 1}, "peer", &frame, &problem) ==
	    WIRE_OK) {
		(void)keeper_reads(&frame);
		free(frame.memory);
	}
	return 0;
}
