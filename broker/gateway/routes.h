/* SPDX-License-Identifier: Apache-2.0 */
/*
 * API.md as a table: which frame a request becomes, and which JSON an answer becomes. The gateway
 * proves nothing about a caller; what a route needs proved is proved in the keeper, and stands
 * beside it in the table.
 */
#ifndef POSTERN_GATEWAY_ROUTES_H
#define POSTERN_GATEWAY_ROUTES_H

#include "wire/frame.h"
#include "wire/message.h"

#define ROUTE_BODY_MAX	 (14 * 1024 * 1024) /* bytes of a request's JSON */
#define ROUTE_DEPTH_MAX	 8		    /* nesting of a request's JSON */
#define ROUTE_VALUES_MAX 1024		    /* members and elements in it */

struct route;

enum route_match { ROUTE_FOUND, ROUTE_NOT_FOUND, ROUTE_WRONG_METHOD };
/* ROUTE_WRONG_METHOD gives a route of that path too. */
enum route_match route_find(const char *method, const char *path, const struct route **ret_route);

/* What an Allow header says of the path. */
const char *route_methods(const struct route *route);

/* What the answer's JSON shows. */
enum route_view { ROUTE_VIEW_WHOLE, ROUTE_VIEW_SEAL };

/* What goes to the keeper. The caller frees `memory`. */
struct route_frame {
	enum frame_type type;
	enum route_view view;
	uint8_t *memory;
	size_t size;
};

/* JSON -> frame. `problem` is a literal for WIRE_MALFORMED and WIRE_LIMIT. */
__attribute__((warn_unused_result)) enum wire_status
route_request(const struct route *route, struct bytes body, const char *peer,
	      struct route_frame *ret_frame, const char **problem);

/* An answer's JSON text (freed by the caller; NULL: no memory) and HTTP status. `type` and `view`
 * are the frame's that was sent. */
char *route_answer(enum frame_type type, enum route_view view, struct bytes answer,
		   unsigned *ret_http);
/* {"errors":["word: advice"]} */
char *route_error(enum wire_status status, const char *advice);

#endif
