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
 * what is marked then needs no visit. */
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

/* What a walk needs, one item a node. */
struct walk {
	size_t *stack;
	size_t *next;  /* how much of what is above a node was looked at */
	size_t *order; /* the result */
	uint64_t *seen;
};

static bool
walk_start(struct walk *walk, size_t count, struct arena *scratch)
{
	*walk = (struct walk){
		.stack = arena_take(scratch, count, sizeof(walk->stack[0])),
		.next = arena_take(scratch, count, sizeof(walk->next[0])),
		.order = arena_take(scratch, count, sizeof(walk->order[0])),
		.seen = bits_take(scratch, count),
	};
	if (walk->stack == NULL || walk->next == NULL || walk->order == NULL || walk->seen == NULL)
		return false;
	for (size_t i = 0; i < count; i++)
		walk->next[i] = 0;
	return true;
}

/* Depth first from one node: those above it go before it, as far as they are not in each other. */
static size_t
walk_from(const struct hierarchy_node *nodes, struct walk *walk, size_t root, size_t ordered)
{
	size_t height = 0;

	if (BITS_HAVE(walk->seen, root))
		return ordered;
	BITS_SET(walk->seen, root);
	walk->stack[height++] = root;
	while (height > 0) {
		size_t index = walk->stack[height - 1];
		if (walk->next[index] == nodes[index].count) {
			walk->order[ordered++] = index;
			height--;
			continue;
		}
		size_t above = nodes[index].above[walk->next[index]++];
		if (BITS_HAVE(walk->seen, above))
			continue;
		BITS_SET(walk->seen, above);
		walk->stack[height++] = above;
	}
	return ordered;
}

bool
hierarchy_close(struct hierarchy_node *nodes, size_t count, struct arena *kept,
		struct arena *scratch)
{
	struct walk walk;
	size_t ordered = 0;

	if (!walk_start(&walk, count, scratch))
		return false;
	for (size_t i = 0; i < count; i++)
		ordered = walk_from(nodes, &walk, i, ordered);
	for (size_t i = 0; i < count; i++) {
		size_t index = walk.order[i];
		uint64_t *bits = bits_take(kept, count);
		if (bits == NULL)
			return false;
		close_node(nodes, count, index, bits, walk.stack);
		nodes[index].ancestors = bits;
	}
	return true;
}
