/* SPDX-License-Identifier: Apache-2.0 */
/* Who is, by way of others, in whom: sets of bits. */
#include "schema_resolve.h"

#include <string.h>

uint64_t *
bits_take(struct arena *arena, size_t count)
{
	uint64_t *bits = arena_take(arena, BITS_WORDS(count), sizeof(*bits));

	if (bits != NULL)
		memset(bits, 0, BITS_WORDS(count) * sizeof(*bits));
	return bits;
}

/* Marks what is right above a node and puts on the stack what was not marked yet. */
static size_t
mark_above(const struct hierarchy_node *node, uint64_t *bits, size_t *stack, size_t height)
{
	for (size_t i = 0; i < node->count; i++) {
		size_t above = node->above[i];
		if (BITS_HAVE(bits, above))
			continue;
		BITS_SET(bits, above);
		stack[height++] = above;
	}
	return height;
}

/* A node is put on the stack at most once, and one that is finished brings all that is above it:
 * what is marked then needs no visit. Types may be in each other, so there is no order to go by. */
static void
close_node(const struct hierarchy_node *nodes, size_t count, size_t index, uint64_t *bits,
	   size_t *stack)
{
	size_t height = mark_above(&nodes[index], bits, stack, 0);

	while (height > 0) {
		const struct hierarchy_node *node = &nodes[stack[--height]];
		if (node->ancestors == NULL) {
			height = mark_above(node, bits, stack, height);
			continue;
		}
		for (size_t word = 0; word < BITS_WORDS(count); word++)
			bits[word] |= node->ancestors[word];
	}
}

bool
hierarchy_close(struct hierarchy_node *nodes, size_t count, struct arena *kept,
		struct arena *scratch)
{
	size_t *stack = arena_take(scratch, count, sizeof(*stack));

	if (stack == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		uint64_t *bits = bits_take(kept, count);
		if (bits == NULL)
			return false;
		close_node(nodes, count, i, bits, stack);
		nodes[i].ancestors = bits;
	}
	return true;
}
