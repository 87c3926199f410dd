/* SPDX-License-Identifier: Apache-2.0 */
#include "names.h"

#include <string.h>

#define SLOTS_FIRST 64

/* Where `text` is, or where it belongs. */
static size_t
find_slot(const struct names *names, const struct text *text)
{
	size_t slot = (size_t)text->hash & (names->slot_count - 1);

	while (names->slots[slot] != NULL && !text_equal(names->slots[slot], text))
		slot = (slot + 1) & (names->slot_count - 1);
	return slot;
}

/* The table is kept at most half full. */
static bool
make_room(struct names *names, struct arena *scratch)
{
	if (names->count * 2 < names->slot_count)
		return true;
	struct names grown = {.slot_count =
				      names->slot_count == 0 ? SLOTS_FIRST : names->slot_count * 2,
			      .count = names->count};
	grown.slots = arena_take(scratch, grown.slot_count, sizeof(grown.slots[0]));
	if (grown.slots == NULL)
		return false;
	for (size_t i = 0; i < grown.slot_count; i++)
		grown.slots[i] = NULL;
	for (size_t i = 0; i < names->slot_count; i++) {
		if (names->slots[i] != NULL)
			grown.slots[find_slot(&grown, names->slots[i])] = names->slots[i];
	}
	*names = grown;
	return true;
}

const struct text *
names_intern(struct names *names, struct arena *kept, struct arena *scratch, const char *data,
	     size_t size)
{
	struct text wanted = text_of(data, size);

	if (!make_room(names, scratch))
		return NULL;
	size_t slot = find_slot(names, &wanted);
	if (names->slots[slot] != NULL)
		return names->slots[slot];
	struct text *text = arena_take(kept, 1, sizeof(*text));
	char *bytes = arena_take(kept, size, 1);
	if (text == NULL || bytes == NULL)
		return NULL;
	if (size > 0)
		memcpy(bytes, data, size);
	*text = (struct text){.data = bytes, .size = size, .hash = wanted.hash};
	names->slots[slot] = text;
	names->count++;
	return text;
}

bool
names_keep(const struct names *names, struct arena *kept, struct names *ret_names)
{
	struct names copy = *names;

	copy.slots = arena_take(kept, names->slot_count, sizeof(copy.slots[0]));
	if (copy.slots == NULL)
		return false;
	if (names->slot_count > 0)
		memcpy(copy.slots, names->slots, names->slot_count * sizeof(copy.slots[0]));
	*ret_names = copy;
	return true;
}

bool
names_has(const struct names *names, const struct text *text)
{
	return names->slot_count > 0 && names->slots[find_slot(names, text)] != NULL;
}
