/* SPDX-License-Identifier: Apache-2.0 */
/* Declarations of a schema, as written: the grammar stands above each function. */
#include "schema.h"
#include "schema_syntax.h"

static bool
add_path(struct parser *parser, struct path_list *list, struct path path)
{
	struct path *items = arena_grow(&parser->scratch, list->items, list->count, sizeof(path),
					&list->capacity);

	if (items == NULL)
		return parser_out_of_memory(parser) != NULL;
	list->items = items;
	list->items[list->count++] = path;
	return true;
}

/* ---- what lists are made of ---- */

typedef bool read_item(struct parser *parser, struct path *ret_path);

static bool
read_identifier(struct parser *parser, struct path *ret_path)
{
	*ret_path = (struct path){.at = parser->token.at};
	ret_path->name = parser_identifier(parser, "a name");
	return ret_path->name != NULL;
}

static bool
read_action_name(struct parser *parser, struct path *ret_path)
{
	*ret_path = (struct path){.at = parser->token.at};
	ret_path->id = schema_read_name(parser);
	return ret_path->id != NULL;
}

static bool
read_id(struct parser *parser, struct path *ret_path)
{
	*ret_path = (struct path){.at = parser->token.at};
	ret_path->id = parser_string(parser);
	return ret_path->id != NULL;
}

static bool
read_entity_type(struct parser *parser, struct path *ret_path)
{
	if (!parser_path(parser, "an entity type", ret_path))
		return false;
	if (ret_path->id != NULL)
		return parser_refuse(parser, POLICY_SYNTAX, ret_path->at,
				     "expected an entity type, not an entity") != NULL;
	return true;
}

/* QualName := Name | Path '::' STR */
static bool
read_action_reference(struct parser *parser, struct path *ret_path)
{
	if (parser->token.kind != TOKEN_IDENTIFIER || parser_at_word(parser, "__cedar"))
		return read_action_name(parser, ret_path);
	struct token first = parser->token;
	if (!parser_path(parser, "an action", ret_path))
		return false;
	if (ret_path->id != NULL)
		return true;
	if (ret_path->name->size != first.size)
		return parser_unexpected(parser, "`::` and the action's name in quotes") != NULL;
	*ret_path = (struct path){.id = ret_path->name, .at = first.at};
	return true;
}

/* Item {',' Item} */
static bool
read_items(struct parser *parser, read_item *read, struct path_list *list)
{
	do {
		struct path path;
		if (!read(parser, &path) || !add_path(parser, list, path))
			return false;
	} while (parser_accept(parser, TOKEN_COMMA));
	return true;
}

/* Item | '[' Items ']' */
static bool
read_one_or_list(struct parser *parser, read_item *read, bool may_be_empty, struct path_list *list)
{
	struct path path;

	if (!parser_accept(parser, TOKEN_OPEN_BRACKET))
		return read(parser, &path) && add_path(parser, list, path);
	if (may_be_empty && parser_accept(parser, TOKEN_CLOSE_BRACKET))
		return true;
	return read_items(parser, read, list) &&
	       parser_expect(parser, TOKEN_CLOSE_BRACKET, "`,` or `]`");
}

/* ---- declarations ---- */

/* 'enum' '[' STR {',' STR} ']' */
static bool
read_enumeration(struct parser *parser, struct declaration *declaration)
{
	return parser_expect(parser, TOKEN_OPEN_BRACKET, "`[`") &&
	       read_items(parser, read_id, &declaration->ids) &&
	       parser_expect(parser, TOKEN_CLOSE_BRACKET, "`,` or `]`");
}

/* Entity := 'entity' IDENT {',' IDENT}
 *           (['in' EntTypes] [['='] RecType] ['tags' Type] | 'enum' '[' STRs ']') ';' */
static bool
read_entity(struct parser *parser, struct declaration *declaration)
{
	declaration->kind = DECLARE_ENTITY;
	if (!read_items(parser, read_identifier, &declaration->names))
		return false;
	if (parser_accept_word(parser, "enum"))
		return read_enumeration(parser, declaration);
	if (parser_accept_word(parser, "in") &&
	    !read_one_or_list(parser, read_entity_type, true, &declaration->parents))
		return false;
	if (parser_accept(parser, TOKEN_SINGLE_EQUAL) || parser->token.kind == TOKEN_OPEN_BRACE) {
		declaration->type = schema_read_record(parser);
		if (declaration->type == NULL)
			return false;
	}
	if (!parser_accept_word(parser, "tags"))
		return true;
	declaration->tags = schema_read_type(parser);
	return declaration->tags != NULL;
}

/* TypeDecl := 'type' IDENT '=' Type ';' */
static bool
read_common_type(struct parser *parser, struct declaration *declaration)
{
	static const char *const taken[] = {"Bool", "Boolean", "Long",	 "String",
					    "Set",  "Record",  "Entity", "Extension"};
	struct path path;

	declaration->kind = DECLARE_TYPE;
	if (!read_identifier(parser, &path) || !add_path(parser, &declaration->names, path))
		return false;
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		if (text_is(path.name, taken[i]))
			return parser_refuse(parser, POLICY_SYNTAX, path.at,
					     "`%s` is no name for a type", taken[i]) != NULL;
	}
	if (!parser_expect(parser, TOKEN_SINGLE_EQUAL, "`=`"))
		return false;
	declaration->type = schema_read_type(parser);
	return declaration->type != NULL;
}

/* EntTypes, of which one at least must be there */
static bool
read_subjects(struct parser *parser, struct path_list *list)
{
	struct position at = parser->token.at;

	if (list->count > 0)
		return parser_refuse(parser, POLICY_SYNTAX, at, "this was said already") != NULL;
	if (!parser_expect(parser, TOKEN_COLON, "`:`") ||
	    !read_one_or_list(parser, read_entity_type, true, list))
		return false;
	if (list->count == 0)
		return parser_refuse(parser, POLICY_SYNTAX, at,
				     "an action for nobody, on nothing") != NULL;
	return true;
}

static bool
read_context(struct parser *parser, struct declaration *declaration)
{
	if (declaration->type != NULL)
		return parser_refuse(parser, POLICY_SYNTAX, parser->token.at,
				     "this was said already") != NULL;
	if (!parser_expect(parser, TOKEN_COLON, "`:`"))
		return false;
	declaration->type = parser->token.kind == TOKEN_OPEN_BRACE ? schema_read_record(parser)
								   : schema_read_type_name(parser);
	return declaration->type != NULL;
}

/* AppDecl := ('principal' | 'resource') ':' EntTypes | 'context' ':' (Path | RecType) */
static bool
read_application(struct parser *parser, struct declaration *declaration)
{
	if (parser_accept_word(parser, "principal"))
		return read_subjects(parser, &declaration->principals);
	if (parser_accept_word(parser, "resource"))
		return read_subjects(parser, &declaration->resources);
	if (parser_accept_word(parser, "context"))
		return read_context(parser, declaration);
	return parser_unexpected(parser, "`principal`, `resource` or `context`") != NULL;
}

/* '{' AppDecl {',' AppDecl} [','] '}' */
static bool
read_applies(struct parser *parser, struct declaration *declaration)
{
	struct position at = parser->token.at;

	declaration->applies = true;
	if (!parser_expect(parser, TOKEN_OPEN_BRACE, "`{`"))
		return false;
	do {
		if (!read_application(parser, declaration))
			return false;
	} while (parser_accept(parser, TOKEN_COMMA) && parser->token.kind != TOKEN_CLOSE_BRACE);
	if (!parser_expect(parser, TOKEN_CLOSE_BRACE, "`,` or `}`"))
		return false;
	if (declaration->principals.count == 0 || declaration->resources.count == 0)
		return parser_refuse(parser, POLICY_SYNTAX, at, "there must be a `%s` in this",
				     declaration->principals.count == 0 ? "principal"
									: "resource") != NULL;
	return true;
}

/* Action := 'action' Name {',' Name} ['in' (QualName | '[' QualName {',' QualName} ']')]
 *           ['appliesTo' AppDecls] ['attributes' '{' '}'] ';' */
static bool
read_action(struct parser *parser, struct declaration *declaration)
{
	declaration->kind = DECLARE_ACTION;
	if (!read_items(parser, read_action_name, &declaration->names))
		return false;
	if (parser_accept_word(parser, "in") &&
	    !read_one_or_list(parser, read_action_reference, false, &declaration->parents))
		return false;
	if (parser_accept_word(parser, "appliesTo") && !read_applies(parser, declaration))
		return false;
	if (!parser_accept_word(parser, "attributes"))
		return true;
	return parser_expect(parser, TOKEN_OPEN_BRACE, "`{`") &&
	       parser_expect(parser, TOKEN_CLOSE_BRACE, "`}`: actions have no attributes");
}

static bool
read_body(struct parser *parser, struct declaration *declaration)
{
	if (parser_accept_word(parser, "entity"))
		return read_entity(parser, declaration);
	if (parser_accept_word(parser, "action"))
		return read_action(parser, declaration);
	if (parser_accept_word(parser, "type"))
		return read_common_type(parser, declaration);
	return parser_unexpected(parser, "`entity`, `action` or `type`") != NULL;
}

/* Decl := (Entity | Action | TypeDecl) */
static bool
read_declaration(struct parser *parser, struct schema_syntax *syntax, const struct text *space)
{
	struct declaration *all = arena_grow(&parser->scratch, syntax->declarations, syntax->count,
					     sizeof(*all), &syntax->capacity);

	if (all == NULL)
		return parser_out_of_memory(parser) != NULL;
	syntax->declarations = all;
	struct declaration *declaration = &all[syntax->count++];
	*declaration = (struct declaration){.space = space};
	return read_body(parser, declaration) && parser_expect(parser, TOKEN_SEMICOLON, "`;`");
}

/* ---- namespaces ---- */

static bool
add_space(struct parser *parser, struct schema_syntax *syntax, struct path path)
{
	struct namespace_syntax *spaces =
		arena_grow(&parser->scratch, syntax->spaces, syntax->space_count, sizeof(*spaces),
			   &syntax->space_capacity);

	if (spaces == NULL)
		return parser_out_of_memory(parser) != NULL;
	syntax->spaces = spaces;
	spaces[syntax->space_count++] = (struct namespace_syntax){.name = path.name, .at = path.at};
	return true;
}

/* 'namespace' Path '{' {{Annotation} Decl} '}' */
static bool
read_namespace(struct parser *parser, struct schema_syntax *syntax)
{
	struct path path;

	if (!parser_path(parser, "a name", &path))
		return false;
	if (path.id != NULL)
		return parser_refuse(parser, POLICY_SYNTAX, path.at, "expected a namespace") !=
		       NULL;
	if (!add_space(parser, syntax, path) || !parser_expect(parser, TOKEN_OPEN_BRACE, "`{`"))
		return false;
	while (!parser_accept(parser, TOKEN_CLOSE_BRACE)) {
		if (!schema_read_annotations(parser) ||
		    !read_declaration(parser, syntax, path.name))
			return false;
	}
	return true;
}

static int
compare_spaces(const void *a, const void *b)
{
	const struct namespace_syntax *x = a;
	const struct namespace_syntax *y = b;
	int order = text_compare(x->name, y->name);

	if (order != 0)
		return order;
	if (x->at.line != y->at.line)
		return x->at.line < y->at.line ? -1 : 1;
	return (x->at.column > y->at.column) - (x->at.column < y->at.column);
}

static bool
check_spaces(struct parser *parser, struct schema_syntax *syntax)
{
	sort_items(syntax->spaces, syntax->space_count, sizeof(syntax->spaces[0]), compare_spaces);
	for (size_t i = 1; i < syntax->space_count; i++) {
		if (syntax->spaces[i - 1].name == syntax->spaces[i].name)
			return parser_refuse(parser, POLICY_SYNTAX, syntax->spaces[i].at,
					     "this namespace is there already") != NULL;
	}
	return true;
}

/* Schema := {{Annotation} (Namespace | Decl)} */
bool
schema_read(struct parser *parser, struct schema_syntax *syntax)
{
	while (parser->token.kind != TOKEN_END) {
		struct position at = parser->token.at;
		if (!schema_read_annotations(parser))
			return false;
		if (parser->token.kind == TOKEN_END)
			return parser_refuse(parser, POLICY_SYNTAX, at, "annotations of nothing") !=
			       NULL;
		bool fine = parser_accept_word(parser, "namespace")
				    ? read_namespace(parser, syntax)
				    : read_declaration(parser, syntax, NULL);
		if (!fine)
			return false;
	}
	return check_spaces(parser, syntax);
}
