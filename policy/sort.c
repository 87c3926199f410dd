/* SPDX-License-Identifier: Apache-2.0 */
/* Sorting in place: by insertion where there is little, by a heap where there is more, so that no
 * input makes it quadratic and nothing is allocated. */
#include "value.h"

#include <assert.h>
#include <string.h>

#define ITEM_SIZE_MAX	64
#define INSERTION_COUNT 12

typedef int compare_function(const void *a, const void *b);

static void
sort_by_insertion(char *items, size_t count, size_t size, compare_function *compare)
{
	char moving[ITEM_SIZE_MAX];

	for (size_t i = 1; i < count; i++) {
		size_t place = i;
		while (place > 0 && compare(items + (place - 1) * size, items + i * size) > 0)
			place--;
		if (place == i)
			continue;
		memcpy(moving, items + i * size, size);
		memmove(items + (place + 1) * size, items + place * size, (i - place) * size);
		memcpy(items + place * size, moving, size);
	}
}

static void
swap_items(char *a, char *b, size_t size)
{
	char moving[ITEM_SIZE_MAX];

	memcpy(moving, a, size);
	memcpy(a, b, size);
	memcpy(b, moving, size);
}

static void
sift_down(char *items, size_t parent, size_t count, size_t size, compare_function *compare)
{
	for (;;) {
		size_t child = 2 * parent + 1;
		if (child >= count)
			return;
		if (child + 1 < count &&
		    compare(items + child * size, items + (child + 1) * size) < 0)
			child++;
		if (compare(items + parent * size, items + child * size) >= 0)
			return;
		swap_items(items + parent * size, items + child * size, size);
		parent = child;
	}
}

void
sort_items(void *array, size_t count, size_t size, compare_function *compare)
{
	char *items = array;

	assert(size <= ITEM_SIZE_MAX);
	if (count <= INSERTION_COUNT) {
		sort_by_insertion(items, count, size, compare);
		return;
	}
	for (size_t parent = count / 2; parent-- > 0;)
		sift_down(items, parent, count, size, compare);
	for (size_t end = count - 1; end > 0; end--) {
		swap_items(items, items + end * size, size);
		sift_down(items, 0, end, size, compare);
	}
}
