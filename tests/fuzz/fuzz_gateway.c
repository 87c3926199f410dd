/* SPDX-License-Identifier: Apache-2.0 */
/* A request's JSON: the first byte selects the route. */
#include <stdlib.h>

#include "gateway/routes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
	    WIRE_OK)
		free(frame.memory);
	return 0;
}
