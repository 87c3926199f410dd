/* SPDX-License-Identifier: Apache-2.0 */
/* Types, attributes and annotations of a schema, as written. */
#include "schema.h"
#include "schema_syntax.h"

static const struct text *
keep_token(struct parser *parser)
{
	const struct text *text = names_intern(&parser->names, parser->arena, &parser->scratch,
					       parser->token.data, parser->token.size);

	if (text == NULL)
		return parser_out_of_memory(parser);
	parser_advance(parser);
	return text;
}

static bool
read_annotation(struct parser *parser, const struct text **ret_key)
{
	if (parser->token.kind != TOKEN_IDENTIFIER)
		return parser_unexpected(parser, "an annotation's name") != NULL;
	*ret_key = keep_token(parser);
	if (*ret_key == NULL)
		return false;
	if (!parser_accept(parser, TOKEN_OPEN_PARENTHESIS))
		return true;
	return parser_string(parser) != NULL &&
	       parser_expect(parser, TOKEN_CLOSE_PARENTHESIS, "`)`");
}

bool
schema_read_annotations(struct parser *parser)
{
	const struct text *keys[POLICY_SCHEMA_ANNOTATIONS_MAX];
	size_t count = 0;

	while (parser_accept(parser, TOKEN_AT)) {
		struct position at = parser->token.at;
		if (count == POLICY_SCHEMA_ANNOTATIONS_MAX)
			return parser_refuse(parser, POLICY_LIMIT, at, "more than %d annotations",
					     POLICY_SCHEMA_ANNOTATIONS_MAX) != NULL;
		if (!read_annotation(parser, &keys[count]))
			return false;
		for (size_t i = 0; i < count; i++) {
			if (keys[i] == keys[count])
				return parser_refuse(parser, POLICY_SYNTAX, at,
						     "this annotation is there already") != NULL;
		}
		count++;
	}
	return true;
}

/* `__cedar` is no name for what is declared, but fine for attributes and actions. */
const struct text *
schema_read_name(struct parser *parser)
{
	if (parser->token.kind == TOKEN_STRING)
		return parser_string(parser);
	if (parser_at_word(parser, "__cedar"))
		return keep_token(parser);
	return parser_identifier(parser, "a name");
}

static struct type_syntax *
make_type(struct parser *parser, enum type_syntax_kind kind, struct position at)
{
	struct type_syntax *type = arena_take(&parser->scratch, 1, sizeof(*type));

	if (type == NULL)
		return parser_out_of_memory(parser);
	*type = (struct type_syntax){.kind = kind, .at = at};
	return type;
}

/* AttrDecl := {Annotation} Name ['?'] ':' Type */
static bool
read_attribute(struct parser *parser, struct attribute_syntax *attribute)
{
	if (!schema_read_annotations(parser))
		return false;
	attribute->name = schema_read_name(parser);
	if (attribute->name == NULL)
		return false;
	attribute->required = !parser_accept(parser, TOKEN_QUESTION);
	if (!parser_expect(parser, TOKEN_COLON, "`:`"))
		return false;
	attribute->type = schema_read_type(parser);
	return attribute->type != NULL;
}

/* AttrDecls := AttrDecl {',' AttrDecl} [','] */
static bool
read_attributes(struct parser *parser, struct type_syntax *type)
{
	size_t capacity = 0;

	while (!parser_accept(parser, TOKEN_CLOSE_BRACE)) {
		type->attributes = arena_grow(&parser->scratch, type->attributes, type->count,
					      sizeof(type->attributes[0]), &capacity);
		if (type->attributes == NULL)
			return parser_out_of_memory(parser) != NULL;
		if (!read_attribute(parser, &type->attributes[type->count]))
			return false;
		type->count++;
		if (parser->token.kind != TOKEN_CLOSE_BRACE &&
		    !parser_expect(parser, TOKEN_COMMA, "`,` or `}`"))
			return false;
	}
	return true;
}

const struct type_syntax *
schema_read_record(struct parser *parser)
{
	struct type_syntax *type = make_type(parser, TYPE_SYNTAX_RECORD, parser->token.at);

	if (type == NULL || !parser_expect(parser, TOKEN_OPEN_BRACE, "`{`"))
		return NULL;
	if (!parser_enter(parser) || !read_attributes(parser, type))
		return NULL;
	parser_leave(parser);
	return type;
}

/* Of what `__cedar` holds, no name has further parts. */
static const struct type_syntax *
read_built_in(struct parser *parser)
{
	struct type_syntax *type = make_type(parser, TYPE_SYNTAX_BUILT_IN, parser->token.at);

	parser_advance(parser);
	if (type == NULL || !parser_expect(parser, TOKEN_DOUBLE_COLON, "`::`"))
		return NULL;
	type->name = parser_identifier(parser, "a type of Cedar's own");
	return type->name != NULL ? type : NULL;
}

const struct type_syntax *
schema_read_type_name(struct parser *parser)
{
	struct path path;

	if (parser_at_word(parser, "__cedar"))
		return read_built_in(parser);
	struct type_syntax *type = make_type(parser, TYPE_SYNTAX_NAME, parser->token.at);
	if (type == NULL || !parser_path(parser, "a type", &path))
		return NULL;
	if (path.id != NULL)
		return parser_refuse(parser, POLICY_SYNTAX, path.at,
				     "expected a type, not an entity");
	type->name = path.name;
	return type;
}

/* SetType := 'Set' '<' Type '>', of which the first word was taken */
static const struct type_syntax *
read_set(struct parser *parser, struct type_syntax *type)
{
	type->kind = TYPE_SYNTAX_SET;
	if (!parser_enter(parser))
		return NULL;
	parser_advance(parser);
	type->element = schema_read_type(parser);
	parser_leave(parser);
	if (type->element == NULL || !parser_expect(parser, TOKEN_GREATER, "`>`"))
		return NULL;
	return type;
}

/* Type := Path | SetType | RecType */
const struct type_syntax *
schema_read_type(struct parser *parser)
{
	bool may_be_set = parser_at_word(parser, "Set");

	if (parser->token.kind == TOKEN_OPEN_BRACE)
		return schema_read_record(parser);
	const struct type_syntax *name = schema_read_type_name(parser);
	if (name == NULL || !may_be_set || parser->token.kind != TOKEN_LESS)
		return name;
	struct type_syntax *set = make_type(parser, TYPE_SYNTAX_SET, name->at);
	/* `Set::A<` reads no better as a set: what follows `<` is refused where it stands. */
	if (set == NULL || !text_is(name->name, "Set"))
		return name;
	return read_set(parser, set);
}
