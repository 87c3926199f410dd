/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_files.h"

#include "file.h"
#include "wire/schema.h"

#include <string.h>

static void
builder_free_at(struct policy_builder **builder)
{
	policy_builder_free(*builder);
}
#define auto_builder __attribute__((cleanup(builder_free_at))) struct policy_builder

bool
policy_files_share_input(const char *const *paths, size_t count)
{
	size_t inputs = 0;

	for (size_t i = 0; i < count; i++)
		inputs += paths[i] != NULL && strcmp(paths[i], "-") == 0 ? 1 : 0;
	return inputs > 1;
}

int
policy_complain(const char *path, const struct policy_error *err)
{
	if (err->status == POLICY_MEMORY)
		return complain(EX_SOFTWARE, "out of memory");
	if (err->line == 0)
		return complain(EX_DATAERR, "%s: %s", path, err->message);
	return complain(EX_DATAERR, "%s:%u:%u: %s", path, err->line, err->column, err->message);
}

static struct policy_text
file_view(const struct file_text *file)
{
	return (struct policy_text){.data = file->data, .size = file->size};
}

/* Cedar's own text never begins with a brace. */
static bool
is_json(struct policy_text text)
{
	size_t blanks = 0;

	while (blanks < text.size && strchr(" \t\r\n", text.data[blanks]) != NULL &&
	       text.data[blanks] != '\0')
		blanks++;
	return blanks < text.size && text.data[blanks] == '{';
}

static enum policy_status
add_text(struct policy_builder *builder, struct policy_text text, struct policy_error *err)
{
	auto_cedar_document *document = NULL;

	if (!is_json(text))
		return policy_builder_add(builder, text, err);
	enum policy_status status = cedar_document_parse(text, &document, err);
	if (status != POLICY_OK)
		return status;
	struct cedar_place root = cedar_root(document);
	return cedar_read_policies(&root, builder, err);
}

static enum policy_status
out_of_memory(struct policy_error *err)
{
	*err = (struct policy_error){.status = POLICY_MEMORY};
	return POLICY_MEMORY;
}

enum policy_status
policy_text_set(struct policy_text text, struct policy_set **ret_set, struct policy_error *err)
{
	auto_builder *builder = policy_builder_new();

	if (builder == NULL)
		return out_of_memory(err);
	enum policy_status status = add_text(builder, text, err);
	return status != POLICY_OK ? status : policy_builder_finish(builder, ret_set, err);
}

static int
add_links(struct policy_builder *builder, const char *path)
{
	auto_cedar_document *document = NULL;
	struct policy_error err;
	int status = policy_file_document(path, &document);

	if (status != 0)
		return status;
	struct cedar_place root = cedar_root(document);
	return cedar_read_links(&root, builder, &err) == POLICY_OK ? 0
								   : policy_complain(path, &err);
}

int
policy_file_set(const char *path, const char *links, struct policy_set **ret_set)
{
	auto_builder *builder = policy_builder_new();
	auto_file_text file = {.data = NULL};
	struct policy_error err;
	int status = file_read(path, CEDAR_JSON_MAX, &file);

	if (status != 0)
		return status;
	if (builder == NULL)
		return complain(EX_SOFTWARE, "out of memory");
	if (add_text(builder, file_view(&file), &err) != POLICY_OK)
		return policy_complain(path, &err);
	status = links != NULL ? add_links(builder, links) : 0;
	if (status != 0)
		return status;
	if (policy_builder_finish(builder, ret_set, &err) != POLICY_OK)
		return policy_complain(path, &err);
	return 0;
}

int
policy_file_schema(const char *path, struct policy_schema **ret_schema)
{
	auto_file_text file = {.data = NULL};
	struct policy_text text = {.data = broker_schema, .size = broker_schema_size};
	struct policy_error err;

	if (path != NULL) {
		int status = file_read(path, POLICY_SCHEMA_MAX, &file);
		if (status != 0)
			return status;
		text = file_view(&file);
	}
	if (policy_schema_parse(text, ret_schema, &err) != POLICY_OK)
		return policy_complain(path != NULL ? path : "the broker's schema", &err);
	return 0;
}

int
policy_file_document(const char *path, struct cedar_document **ret_document)
{
	auto_file_text file = {.data = NULL};
	struct policy_error err;
	int status = file_read(path, CEDAR_JSON_MAX, &file);

	if (status != 0)
		return status;
	if (cedar_document_parse(file_view(&file), ret_document, &err) != POLICY_OK)
		return policy_complain(path, &err);
	return 0;
}
