/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROBLEM_SIZE 200
#define ENTRIES_MAX  256

struct entry {
	const struct settings_key *key;
	char *value;
};

struct settings {
	size_t count;
	struct entry entries[ENTRIES_MAX];
};

/* Where a line of the file is being read, for messages. */
struct place {
	const char *file;
	unsigned line;
	char *problem;
};

/* A piece of the text. */
struct span {
	const char *start;
	size_t size;
};

__attribute__((format(printf, 2, 3))) static bool
problem_at(const struct place *place, const char *format, ...)
{
	int size = place->line > 0 ? snprintf(place->problem, PROBLEM_SIZE, "%s:%u: ", place->file,
					      place->line)
				   : snprintf(place->problem, PROBLEM_SIZE, "%s: ", place->file);
	if (size < 0 || size >= PROBLEM_SIZE)
		return false;
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(place->problem + size, PROBLEM_SIZE - (size_t)size, format, arguments);
	va_end(arguments);
	return false;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

static struct span
trimmed(struct span text)
{
	while (text.size > 0 && is_space(text.start[0])) {
		text.start++;
		text.size--;
	}
	while (text.size > 0 && is_space(text.start[text.size - 1]))
		text.size--;
	return text;
}

static const struct settings_key *
find_key(const struct settings_key *keys, struct span name)
{
	for (; keys->key != NULL; keys++) {
		if (strlen(keys->key) == name.size && memcmp(keys->key, name.start, name.size) == 0)
			return keys;
	}
	return NULL;
}

static bool
has_control(struct span text)
{
	for (size_t i = 0; i < text.size; i++) {
		unsigned char c = (unsigned char)text.start[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return true;
	}
	return false;
}

static bool
add(struct settings *settings, const struct settings_key *key, struct span value,
    const struct place *place)
{
	if (!key->repeatable && settings_get(settings, key->key, 0) != NULL)
		return problem_at(place, "%s is set twice: remove one of the lines", key->key);
	if (value.size == 0)
		return problem_at(place, "%s has no value: write '%s = VALUE'", key->key, key->key);
	if (value.size > SETTINGS_VALUE_MAX)
		return problem_at(place, "%s is longer than %d bytes", key->key,
				  SETTINGS_VALUE_MAX);
	if (settings->count == ENTRIES_MAX)
		return problem_at(place, "more than %d settings", ENTRIES_MAX);
	char *copy = strndup(value.start, value.size);
	if (copy == NULL)
		return problem_at(place, "out of memory");
	settings->entries[settings->count++] = (struct entry){key, copy};
	return true;
}

static bool
parse_line(struct settings *settings, struct span line, const struct settings_key *keys,
	   const struct place *place)
{
	line = trimmed(line);
	if (line.size == 0 || line.start[0] == '#')
		return true;
	/* Also keeps what is shown below from steering a terminal. */
	if (has_control(line))
		return problem_at(place, "a control character: retype the line");
	const char *equals = memchr(line.start, '=', line.size);
	if (equals == NULL)
		return problem_at(place,
				  "no '=': write 'key = value', or begin a comment with '#'");
	size_t before = (size_t)(equals - line.start);
	struct span name = trimmed((struct span){line.start, before});
	struct span value = trimmed((struct span){equals + 1, line.size - before - 1});
	const struct settings_key *key = find_key(keys, name);
	if (key == NULL)
		return problem_at(place, "unknown setting '%.*s'",
				  name.size > 60 ? 60 : (int)name.size, name.start);
	return add(settings, key, value, place);
}

static bool
parse(struct settings *settings, struct span text, const struct settings_key *keys,
      struct place *place)
{
	while (text.size > 0) {
		place->line++;
		const char *end = memchr(text.start, '\n', text.size);
		size_t size = end != NULL ? (size_t)(end - text.start) : text.size;
		if (!parse_line(settings, (struct span){text.start, size}, keys, place))
			return false;
		size_t used = end != NULL ? size + 1 : size;
		text = (struct span){text.start + used, text.size - used};
	}
	place->line = 0;
	for (const struct settings_key *key = keys; key->key != NULL; key++) {
		if (key->required && settings_get(settings, key->key, 0) == NULL)
			return problem_at(place, "%s is missing: add a line '%s = VALUE'", key->key,
					  key->key);
	}
	return true;
}

struct settings *
settings_parse(const char *text, size_t size, const char *file, const struct settings_key *keys,
	       char problem[200])
{
	struct place place = {file, 0, problem};
	if (size > SETTINGS_FILE_MAX) {
		problem_at(&place, "larger than %d bytes", SETTINGS_FILE_MAX);
		return NULL;
	}
	struct settings *settings = calloc(1, sizeof(*settings));
	if (settings == NULL) {
		problem_at(&place, "out of memory");
		return NULL;
	}
	if (!parse(settings, (struct span){text, size}, keys, &place)) {
		settings_free(settings);
		return NULL;
	}
	return settings;
}

/* The file's bytes, or -1 with errno. One more than the limit is read, so that "larger" shows. */
static ssize_t
read_file(int descriptor, char *ret_text, size_t capacity)
{
	size_t done = 0;
	while (done < capacity) {
		ssize_t n = read(descriptor, ret_text + done, capacity - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

struct settings *
settings_load(const char *file, const struct settings_key *keys, char problem[200])
{
	struct place place = {file, 0, problem};
	/* O_NONBLOCK: a FIFO must not hang the start. */
	int descriptor = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (descriptor < 0) {
		problem_at(&place, "cannot be opened: %s", strerror(errno));
		return NULL;
	}
	struct stat info;
	bool regular = fstat(descriptor, &info) == 0 && S_ISREG(info.st_mode);
	char *text = regular ? malloc(SETTINGS_FILE_MAX + 1) : NULL;
	ssize_t size = text != NULL ? read_file(descriptor, text, SETTINGS_FILE_MAX + 1) : -1;
	struct settings *settings = NULL;
	if (!regular)
		problem_at(&place, "not a regular file");
	else if (size < 0)
		problem_at(&place, "cannot be read: %s", strerror(errno));
	else
		settings = settings_parse(text, (size_t)size, file, keys, problem);
	free(text);
	close(descriptor);
	return settings;
}

void
settings_free(struct settings *settings)
{
	if (settings == NULL)
		return;
	for (size_t i = 0; i < settings->count; i++)
		free(settings->entries[i].value);
	free(settings);
}

const char *
settings_get(const struct settings *settings, const char *key, size_t index)
{
	for (size_t i = 0; i < settings->count; i++) {
		if (strcmp(settings->entries[i].key->key, key) == 0 && index-- == 0)
			return settings->entries[i].value;
	}
	return NULL;
}

bool
settings_number(const struct settings *settings, const char *key, long min, long max, long absent,
		long *ret_number)
{
	const char *text = settings_get(settings, key, 0);
	if (text == NULL) {
		*ret_number = absent;
		return true;
	}
	/* strtol would take white space and a plus sign. */
	const char *digits = text[0] == '-' ? text + 1 : text;
	if (digits[0] < '0' || digits[0] > '9')
		return false;
	char *end = NULL;
	errno = 0;
	long number = strtol(text, &end, 10);
	if (errno != 0 || *end != '\0' || number < min || number > max)
		return false;
	*ret_number = number;
	return true;
}
