/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of policies: each thing once, though it holds in many environments; and which name
 * was perhaps meant. */
#include "error.h"
#include "typecheck.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What it costs to write a message, though it were told before. */
#define TELL_STEPS 32

/* True the first time that this is told of the policy at hand, and while there is room. */
static bool
is_news(struct findings *findings, struct position at, const char *message)
{
	struct text text = text_of(message, strlen(message));

	for (size_t i = 0; i < findings->told_count; i++) {
		const struct told *told = &findings->told[i];
		if (told->hash == text.hash && told->at.line == at.line &&
		    told->at.column == at.column)
			return false;
	}
	if (findings->told_count == TOLD_MAX)
		return false;
	findings->told[findings->told_count++] = (struct told){.at = at, .hash = text.hash};
	return true;
}

void
checker_tell(struct checker *checker, bool warning, struct position at, const char *format, ...)
{
	struct findings *findings = &checker->findings;
	char message[sizeof(findings->err->message)];
	va_list arguments;

	/* What is refused for want of memory is not the policy's fault. */
	if (checker->status != POLICY_OK)
		return;
	checker->steps += TELL_STEPS;
	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	if (!warning && findings->errors++ == 0)
		policy_fail_at(findings->err, POLICY_INVALID, at.line, at.column, "%s", message);
	if (!is_news(findings, at, message) || findings->tell == NULL)
		return;
	const struct policy_finding finding = {.policy = findings->policy,
					       .warning = warning,
					       .line = at.line,
					       .column = at.column,
					       .message = message};
	findings->tell(findings->user, &finding);
}

/* ---- which name was meant ---- */

#define NAME_MAX	40 /* bytes; longer ones are not compared */
#define DISTANCE_MAX	3
#define COMPARISONS_MAX (256 * 1024) /* of names, in one validation: a schema has thousands */

static size_t
least(size_t a, size_t b, size_t c)
{
	size_t smaller = a < b ? a : b;

	return smaller < c ? smaller : c;
}

/* How many bytes to change, add, take away or swap with the next (optimal string alignment). */
static size_t
distance_between(const struct text *a, const struct text *b)
{
	size_t rows[3][NAME_MAX + 1] = {
		0}; /* of this byte, the one before, and the one before that */

	for (size_t j = 0; j <= b->size; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a->size; i++) {
		size_t *row = rows[i % 3];
		const size_t *before = rows[(i + 2) % 3];
		const size_t *earlier = rows[(i + 1) % 3];
		row[0] = i;
		for (size_t j = 1; j <= b->size; j++) {
			size_t changed = a->data[i - 1] == b->data[j - 1] ? 0 : 1;
			row[j] = least(before[j] + 1, row[j - 1] + 1, before[j - 1] + changed);
			if (i > 1 && j > 1 && a->data[i - 1] == b->data[j - 2] &&
			    a->data[i - 2] == b->data[j - 1])
				row[j] = least(row[j], row[j], earlier[j - 2] + 1);
		}
	}
	return rows[a->size % 3][b->size];
}

struct suggestion
suggestion_begin(struct checker *checker, const struct text *wanted)
{
	return (struct suggestion){
		.comparisons = &checker->comparisons,
		.wanted = wanted->size <= NAME_MAX ? wanted : NULL,
		.distance = DISTANCE_MAX + 1,
	};
}

void
suggestion_offer(struct suggestion *suggestion, const struct text *candidate)
{
	const struct text *wanted = suggestion->wanted;

	if (wanted == NULL || candidate->size > NAME_MAX || candidate->size == 0 ||
	    *suggestion->comparisons == COMPARISONS_MAX)
		return;
	++*suggestion->comparisons;
	size_t distance = distance_between(wanted, candidate);
	size_t longer = wanted->size > candidate->size ? wanted->size : candidate->size;
	/* One letter in three may be wrong, no more: else it is another word. */
	if (distance < suggestion->distance && distance * 3 <= longer) {
		suggestion->nearest = candidate;
		suggestion->distance = distance;
	}
}

const char *
suggestion_write(const struct suggestion *suggestion, char buffer[SUGGESTION_SIZE])
{
	char quoted[QUOTED_SIZE];

	buffer[0] = '\0';
	if (suggestion->nearest != NULL) {
		policy_quote(quoted, suggestion->nearest->data, suggestion->nearest->size);
		snprintf(buffer, SUGGESTION_SIZE, ": did you mean `%s`?", quoted);
	}
	return buffer;
}
