/* SPDX-License-Identifier: Apache-2.0 */
/* Values to stdout, as they are or as JSON. Never through stdio, whose buffers are neither locked
 * nor wiped. */
#include "deliver.h"

#include "command.h"
#include "encode.h"
#include "file.h"
#include "value.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HEAD_MAX 512
#define ITEM_MAX (WIRE_PATH_MAX + 96)

int
deliver_select(struct delivery *delivery, const char *field)
{
	for (size_t i = 0; i < delivery->count; i++) {
		struct delivered *secret = &delivery->secrets[i];
		switch (value_member(secret->value, field, &secret->field)) {
		case VALUE_OK:
			secret->value = (struct bytes){secret->field->bytes, secret->field->size};
			break;
		case VALUE_MISSING:
			return complain(EX_DATAERR, "%s has no '%s'", secret->path, field);
		case VALUE_REPEATED:
			return complain(EX_DATAERR, "%s has '%s' twice", secret->path, field);
		case VALUE_MALFORMED:
		case VALUE_ENCODING:
			return complain(EX_DATAERR,
					"%s is no JSON object: fetch it without --field",
					secret->path);
		case VALUE_LIMIT:
		case VALUE_MEMORY:
			return complain(EX_SOFTWARE, LOCKING_FAILED);
		}
	}
	return 0;
}

static size_t
escaped_size(struct bytes text)
{
	size_t size = text.size;

	for (size_t i = 0; i < text.size; i++) {
		uint8_t c = text.data[i];
		if (c == '"' || c == '\\')
			size += 1;
		else if (c < 0x20 || c == 0x7f)
			size += 5;
	}
	return size;
}

static size_t
item_size(const struct delivered *secret)
{
	size_t base64 =
		sodium_base64_ENCODED_LEN(secret->value.size, sodium_base64_VARIANT_ORIGINAL);
	size_t text = escaped_size(secret->value);

	return ITEM_MAX + (text > base64 ? text : base64);
}

static void
base64_write(struct writer *w, struct bytes value)
{
	size_t size = sodium_base64_ENCODED_LEN(value.size,
						sodium_base64_VARIANT_ORIGINAL); /* with NUL */

	if (w->failed || w->capacity - w->size < size) {
		w->failed = true;
		return;
	}
	(void)sodium_bin2base64((char *)w->start + w->size, size, value.data, value.size,
				sodium_base64_VARIANT_ORIGINAL);
	w->size += size - 1;
}

static void
item_write(struct writer *w, const struct delivered *secret, bool first)
{
	bool text = utf8_wellformed(secret->value.data, secret->value.size);
	char head[ITEM_MAX];

	(void)snprintf(head, sizeof(head),
		       "%s\"%s\":{\"version\":%u,\"encoding\":\"%s\",\"value\":\"",
		       first ? "" : ",", secret->path, secret->version, text ? "utf-8" : "base64");
	write_bytes(w, text_bytes(head));
	if (text)
		value_escape(w, secret->value);
	else
		base64_write(w, secret->value);
	write_bytes(w, text_bytes("\"}"));
}

bool
deliver_json(const struct delivery *delivery, struct secret **ret_text)
{
	char head[HEAD_MAX], lease[2 * LEASE_ID_SIZE + 1];
	size_t size = HEAD_MAX;

	for (size_t i = 0; i < delivery->count; i++)
		size += item_size(&delivery->secrets[i]);
	struct secret *text = secret_new(size);
	if (text == NULL)
		return false;
	struct writer w = writer_of(text->bytes, text->capacity);
	hex_encode(delivery->lease_id, LEASE_ID_SIZE, lease);
	(void)snprintf(head, sizeof(head),
		       "{\"lease\":\"%s\",\"lifetime\":%u,\"trust_revision\":%llu,\"secrets\":{",
		       lease, delivery->lifetime, (unsigned long long)delivery->trust_revision);
	write_bytes(&w, text_bytes(head));
	for (size_t i = 0; i < delivery->count; i++)
		item_write(&w, &delivery->secrets[i], i == 0);
	write_bytes(&w, text_bytes("}}\n"));
	text->size = w.size;
	if (w.failed) {
		secret_free(text);
		return false;
	}
	*ret_text = text;
	return true;
}

int
deliver_print(const struct delivery *delivery, bool json)
{
	const struct delivered *only = &delivery->secrets[0];
	auto_secret *text = NULL;

	if (!json && delivery->count == 1) {
		int status = file_write_all(STDOUT_FILENO, only->value.data, only->value.size);
		/* for the eye alone: a pipe gets the value and nothing else */
		if (status == 0 && isatty(STDOUT_FILENO))
			status = file_write_all(STDOUT_FILENO, "\n", 1);
		return status;
	}
	if (!deliver_json(delivery, &text))
		return complain(EX_SOFTWARE, LOCKING_FAILED);
	return file_write_all(STDOUT_FILENO, text->bytes, text->size);
}

/* Public, and signed: no need of locked memory. */
int
deliver_checkpoint(const struct delivery *delivery, const char *path)
{
	const struct checkpoint *checkpoint = &delivery->checkpoint;
	char hash[65], signature[129], text[HEAD_MAX];

	hex_encode(checkpoint->hash, sizeof(checkpoint->hash), hash);
	hex_encode(checkpoint->signature, sizeof(checkpoint->signature), signature);
	int size =
		snprintf(text, sizeof(text),
			 "{\"number\":%llu,\"hash\":\"%s\",\"time\":%lld,\"signature\":\"%s\"}\n",
			 (unsigned long long)checkpoint->number, hash, (long long)checkpoint->time,
			 signature);
	return file_write_new(path, 0644, text, (size_t)size);
}
