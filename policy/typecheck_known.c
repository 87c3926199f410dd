/* SPDX-License-Identifier: Apache-2.0 */
/* What is known at a place of a condition, and what an expression makes known where it is true. */
#include "typecheck.h"

#include <string.h>

/* ---- what is known ---- */

static bool
equal(const struct capability *a, const struct capability *b)
{
	return a->hash == b->hash && a->count == b->count &&
	       memcmp(a->words, b->words, a->count * sizeof(a->words[0])) == 0;
}

/* Among the entries from `base` on; later ones come first in their bucket. */
static bool
known_since(struct checker *checker, const struct capability *capability, size_t base)
{
	const struct known *known = &checker->known;
	size_t at = known->buckets[capability->hash & (KNOWN_BUCKETS - 1)];

	while (at > base && checker_step(checker)) {
		const struct known_entry *entry = &known->entries[at - 1];
		if (equal(entry->capability, capability))
			return true;
		at = entry->below;
	}
	return false;
}

bool
known_has(struct checker *checker, const struct capability *capability)
{
	return capability != NULL && known_since(checker, capability, 0);
}

static bool
known_push_one(struct checker *checker, const struct capability *capability)
{
	struct known *known = &checker->known;
	size_t *bucket = &known->buckets[capability->hash & (KNOWN_BUCKETS - 1)];
	struct known_entry *entries = arena_grow(&checker->kept, known->entries, known->count,
						 sizeof(*entries), &known->capacity);

	if (entries == NULL) {
		checker_out_of_memory(checker);
		return false;
	}
	entries[known->count] = (struct known_entry){.capability = capability, .below = *bucket};
	known->entries = entries;
	*bucket = ++known->count;
	return true;
}

/* Ropes lean to the left: only the right part is gone into, which is as deep as the text. */
bool
known_push(struct checker *checker, const struct grants *grants)
{
	for (; grants != NULL; grants = grants->left) {
		if (!checker_step(checker))
			return false;
		if (grants->one != NULL)
			return known_push_one(checker, grants->one);
		if (!known_push(checker, grants->right))
			return false;
	}
	return true;
}

void
known_pop(struct checker *checker, size_t count)
{
	struct known *known = &checker->known;

	while (known->count > count) {
		const struct known_entry *entry = &known->entries[--known->count];
		known->buckets[entry->capability->hash & (KNOWN_BUCKETS - 1)] = entry->below;
	}
}

/* ---- what an expression makes known ---- */

static const struct grants *
make_grants(struct checker *checker, struct grants grants)
{
	struct grants *made = arena_take(&checker->arena, 1, sizeof(*made));

	if (made == NULL) {
		checker_out_of_memory(checker);
		return NULL;
	}
	*made = grants;
	return made;
}

const struct grants *
grants_one(struct checker *checker, const struct capability *capability)
{
	if (capability == NULL)
		return NULL;
	return make_grants(checker, (struct grants){.one = capability});
}

const struct grants *
grants_both(struct checker *checker, const struct grants *left, const struct grants *right)
{
	if (left == NULL || right == NULL)
		return left != NULL ? left : right;
	return make_grants(checker, (struct grants){.left = left, .right = right});
}

/* Those of `grants` that are among the entries from `base` on. */
static const struct grants *
filter(struct checker *checker, const struct grants *grants, size_t base)
{
	const struct grants *common = NULL;

	for (; grants != NULL && checker_step(checker); grants = grants->left) {
		if (grants->one != NULL) {
			if (known_since(checker, grants->one, base))
				common = grants_both(checker, common, grants);
			break;
		}
		common = grants_both(checker, common, filter(checker, grants->right, base));
	}
	return common;
}

const struct grants *
grants_common(struct checker *checker, const struct grants *left, const struct grants *right)
{
	size_t mark = checker->known.count;
	const struct grants *common = NULL;

	if (left == NULL || right == NULL)
		return NULL;
	if (known_push(checker, left))
		common = filter(checker, right, mark);
	known_pop(checker, mark);
	return common;
}
