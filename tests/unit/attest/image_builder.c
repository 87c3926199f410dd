/* SPDX-License-Identifier: Apache-2.0 */
#include "image_builder.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PE_AT	       0x40
#define COFF_SIZE      24
#define OPTIONAL_FIXED 96 /* PE32; PE32+ has 16 more */
#define DIRECTORIES    16
#define SECTION_SIZE   40
#define LOADED_ALIGNED 0x1000
#define MAGIC_MAX      80

static void
put(uint8_t *at, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

static size_t
aligned(size_t value, size_t to)
{
	return (value + to - 1) / to * to;
}

/* The recipe's sections, and .sdmagic where it wants that. */
static size_t
sections_of(const struct built_recipe *recipe, char magic[MAGIC_MAX], struct built_section *ret)
{
	size_t count = 0;

	if (recipe->program != NULL) {
		snprintf(magic, MAGIC_MAX, "#### LoaderInfo: %s ####", recipe->program);
		ret[count++] = (struct built_section){.name = ".sdmagic", .text = magic};
	}
	for (size_t i = 0; i < BUILT_SECTIONS_MAX && recipe->sections[i].name != NULL; i++) {
		ret[count] = recipe->sections[i];
		count++;
	}
	for (size_t i = 0; i < count; i++)
		if (ret[i].size == 0)
			ret[i].size = strlen(ret[i].text);
	return count;
}

static void
headers_put(struct built *built, const struct built_recipe *recipe, size_t count, size_t headers)
{
	uint8_t *data = built->data;
	size_t fixed = built->certificate_entry - built->optional - 4 * 8;

	put(data, 0x5a4d, 2);
	put(data + 0x3c, PE_AT, 4);
	put(data + PE_AT, 0x4550, 4);
	put(data + PE_AT + 4, 0x8664, 2);
	put(data + PE_AT + 6, count, 2);
	put(data + PE_AT + 8, 0x61626364, 4); /* TimeDateStamp */
	put(data + PE_AT + 20, built->table - built->optional, 2);
	put(data + built->optional, recipe->pe32 ? 0x10b : 0x20b, 2);
	put(data + built->optional + 44, recipe->old_kernel ? 0 : 1, 2);
	put(data + built->optional + 60, headers, 4);
	put(data + built->checksum, 0xcafe, 4);
	put(data + built->optional + fixed - 4, DIRECTORIES, 4);
	if (recipe->certificates > 0) {
		put(data + built->certificate_entry, built->certificates, 4);
		put(data + built->certificate_entry + 4, recipe->certificates, 4);
	}
}

struct built
image_build(const struct built_recipe *recipe)
{
	char magic[MAGIC_MAX];
	struct built_section sections[BUILT_SECTIONS_MAX + 1];
	size_t count = sections_of(recipe, magic, sections);
	size_t optional = OPTIONAL_FIXED + (recipe->pe32 ? 0 : 16) + DIRECTORIES * 8;
	struct built built = {.optional = PE_AT + COFF_SIZE};

	built.checksum = built.optional + 64;
	built.certificate_entry = built.optional + optional - DIRECTORIES * 8 + 4 * 8;
	built.table = built.optional + optional;
	size_t headers = aligned(built.table + count * SECTION_SIZE, BUILT_ALIGNMENT);
	built.first_section = headers;
	built.certificates = headers + recipe->behind;
	for (size_t i = 0; i < count; i++)
		built.certificates += aligned(sections[i].size, BUILT_ALIGNMENT);
	built.size = built.certificates + recipe->certificates;
	built.data = calloc(1, built.size);
	assert(built.data != NULL);
	headers_put(&built, recipe, count, headers);
	size_t at = headers, loaded = LOADED_ALIGNED;
	for (size_t i = 0; i < count; i++) {
		uint8_t *row = built.data + built.table + i * SECTION_SIZE;
		size_t size = aligned(sections[i].size, BUILT_ALIGNMENT);
		size_t in_memory =
			sections[i].loaded_size != 0 ? sections[i].loaded_size : sections[i].size;
		strncpy((char *)row, sections[i].name, 8);
		put(row + 8, in_memory, 4);
		put(row + 12, loaded, 4);
		put(row + 16, size, 4);
		put(row + 20, at, 4);
		memcpy(built.data + at, sections[i].text, sections[i].size);
		at += size;
		loaded += aligned(in_memory, LOADED_ALIGNED);
	}
	memset(built.data + at, 0xbe, recipe->behind);
	memset(built.data + built.certificates, 0xce, recipe->certificates);
	return built;
}
