/* SPDX-License-Identifier: Apache-2.0 */
#include "http.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct http {
	CURL *curl;
	struct curl_slist *headers;
	char *body;
	size_t size;
	size_t capacity;
	bool overflowed;
	char error[CURL_ERROR_SIZE];
};

static size_t
body_take(char *data, size_t one, size_t count, void *user)
{
	struct http *http = user;
	size_t size = one * count;

	if (size > HTTP_ANSWER_MAX - http->size) {
		http->overflowed = true;
		return 0;
	}
	if (http->capacity - http->size < size + 1) {
		size_t capacity = 2 * http->capacity + size + 1;
		char *grown = realloc(http->body, capacity);
		if (grown == NULL)
			return 0;
		http->body = grown;
		http->capacity = capacity;
	}
	memcpy(http->body + http->size, data, size);
	http->size += size;
	http->body[http->size] = '\0';
	return size;
}

/* CURLOPT_CAPATH NULL: else libcurl adds the system's store to the pinned CA. */
static bool
set_trust(CURL *curl, const char *ca)
{
	return curl_easy_setopt(curl, CURLOPT_CAINFO, ca) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_CAPATH, NULL) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3) ==
		       CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK;
}

static bool
set_transfer(struct http *http)
{
	CURL *curl = http->curl;

	return curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)HTTP_CONNECT_SECONDS) ==
		       CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_HTTPHEADER, http->headers) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, body_take) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEDATA, http) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, http->error) == CURLE_OK;
}

/* No "Expect: 100-continue", which would cost a round trip on large bodies. */
struct http *
http_new(const char *ca)
{
	struct http *http = calloc(1, sizeof(*http));

	if (http == NULL)
		return NULL;
	http->curl = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? curl_easy_init() : NULL;
	http->headers = curl_slist_append(NULL, "Content-Type: application/json");
	struct curl_slist *more = curl_slist_append(http->headers, "Expect:");
	if (http->curl != NULL && more != NULL && set_trust(http->curl, ca) && set_transfer(http))
		return http;
	http_free(http);
	return NULL;
}

void
http_free(struct http *http)
{
	if (http == NULL)
		return;
	curl_easy_cleanup(http->curl);
	curl_slist_free_all(http->headers);
	free(http->body);
	free(http);
}

static enum http_status
classify(const struct http *http, CURLcode code)
{
	long connected = 0;

	if (http->overflowed)
		return HTTP_LIMIT;
	switch ((int)code) { /* the enum is libcurl's, and grows */
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
		return HTTP_UNTRUSTED;
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_URL_MALFORMAT:
	case CURLE_OUT_OF_MEMORY:
		return HTTP_SETUP;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_SSL_CONNECT_ERROR:
		return HTTP_UNREACHABLE;
	}
	(void)curl_easy_getinfo(http->curl, CURLINFO_REQUEST_SIZE, &connected);
	return connected == 0 ? HTTP_UNREACHABLE : HTTP_BROKEN;
}

/* libcurl sends again by itself what a kept connection swallowed without an answer: hence a
 * connection of its own for what must not be done twice. */
static CURLcode
set_request(CURL *curl, const struct http_request *request)
{
	CURLcode code = curl_easy_setopt(curl, CURLOPT_URL, request->url);

	if (code == CURLE_OK)
		code = curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, request->milliseconds);
	if (code == CURLE_OK)
		code = curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, request->once ? 1L : 0L);
	if (code == CURLE_OK)
		code = curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, request->once ? 1L : 0L);
	if (code == CURLE_OK)
		code = curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
					(curl_off_t)request->size);
	if (code == CURLE_OK)
		code = curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->json);
	return code;
}

enum http_status
http_post(struct http *http, const struct http_request *request, struct http_answer *ret_answer,
	  char problem[HTTP_PROBLEM_SIZE])
{
	http->size = 0;
	http->overflowed = false;
	http->error[0] = '\0';
	CURLcode code = set_request(http->curl, request);
	if (code == CURLE_OK)
		code = curl_easy_perform(http->curl);
	if (code != CURLE_OK) {
		const char *why = http->error[0] != '\0' ? http->error : curl_easy_strerror(code);
		(void)snprintf(problem, HTTP_PROBLEM_SIZE, "%s", why);
		return classify(http, code);
	}
	(void)curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &ret_answer->status);
	ret_answer->body = http->body;
	ret_answer->size = http->size;
	return HTTP_OK;
}
