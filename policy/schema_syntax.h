/* SPDX-License-Identifier: Apache-2.0 */
/* A schema as written, before names mean anything. All of it lies in the parser's scratch arena;
 * its texts are those of the schema. */
#ifndef POLICY_SCHEMA_SYNTAX_H
#define POLICY_SCHEMA_SYNTAX_H

#include "parser.h"
#include "schema.h"

enum type_syntax_kind {
	TYPE_SYNTAX_NAME,
	TYPE_SYNTAX_BUILT_IN, /* a name after `__cedar::` */
	TYPE_SYNTAX_SET,
	TYPE_SYNTAX_RECORD,
};

struct type_syntax;

struct attribute_syntax {
	const struct text *name;
	const struct type_syntax *type;
	bool required;
};

struct type_syntax {
	enum type_syntax_kind kind;
	struct position at;
	const struct text *name;
	const struct type_syntax *element;
	struct attribute_syntax *attributes; /* a name may occur twice: the last one counts */
	size_t count;
};

/* What is declared, and references to it. */
struct path_list {
	struct path *items;
	size_t count;
	size_t capacity;
};

enum declaration_kind { DECLARE_ENTITY, DECLARE_TYPE, DECLARE_ACTION };

struct declaration {
	enum declaration_kind kind;
	const struct text *space; /* the namespace; NULL outside of any */
	struct path_list names;	  /* one or more, without namespace; an action's are ids */
	struct path_list parents; /* an action's have an id, and a name where one was written */
	struct path_list ids;	  /* of an enumerated entity type */
	/* An entity's attributes (a record), a common type's definition, an action's context. */
	const struct type_syntax *type;
	const struct type_syntax *tags;
	bool applies;
	struct path_list principals;
	struct path_list resources;
};

struct namespace_syntax {
	const struct text *name;
	struct position at;
};

struct schema_syntax {
	struct declaration *declarations;
	size_t count;
	size_t capacity;
	struct namespace_syntax *spaces;
	size_t space_count;
	size_t space_capacity;
};

/* All of the text; false after a refusal. */
bool schema_read(struct parser *parser, struct schema_syntax *syntax);

/* ---- schema_read_type.c ---- */

/* {'@' ANYIDENT ['(' STR ')']}: checked, and not kept. */
bool schema_read_annotations(struct parser *parser);
/* Name := IDENT | STR */
const struct text *schema_read_name(struct parser *parser);
const struct type_syntax *schema_read_type(struct parser *parser);
/* RecType := '{' [AttrDecls] '}' */
const struct type_syntax *schema_read_record(struct parser *parser);
const struct type_syntax *schema_read_type_name(struct parser *parser);

/* ---- schema_resolve.c ---- */

/* Declarations -> what they mean, in the schema; false after a refusal. */
bool schema_resolve(struct parser *parser, const struct schema_syntax *syntax,
		    struct policy_schema *schema);

#endif
