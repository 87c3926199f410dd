/* SPDX-License-Identifier: Apache-2.0 */
#include "software_ima.h"

#include <assert.h>
#include <openssl/evp.h>
#include <string.h>

#define DATA_MAX 4096

static const char *const BANKS[SOFTWARE_IMA_BANKS] = {"sha1", "sha256", "sha384", "sha512"};

struct bytes
software_ima_text(const char *text)
{
	return (struct bytes){(const uint8_t *)text, strlen(text)};
}

struct bytes
software_ima_bytes(const struct software_ima *list)
{
	return (struct bytes){list->data, list->size};
}

size_t
software_ima_hash(const char *algorithm, struct bytes input, uint8_t ret[64])
{
	unsigned size = 0;

	assert(EVP_Digest(input.data, input.size, ret, &size, EVP_get_digestbyname(algorithm),
			  NULL) == 1);
	return size;
}

static void
write_le32(struct writer *w, size_t value)
{
	for (unsigned shift = 0; shift < 32; shift += 8)
		write_u8(w, (uint8_t)(value >> shift));
}

size_t
software_ima_fields(const struct bytes *fields, size_t count, uint8_t *ret, size_t capacity)
{
	struct writer w = writer_of(ret, capacity);

	for (size_t i = 0; i < count; i++) {
		write_le32(&w, fields[i].size);
		write_bytes(&w, fields[i]);
	}
	assert(!w.failed);
	return w.size;
}

size_t
software_ima_digest(const char *algorithm, struct bytes digest, uint8_t *ret, size_t capacity)
{
	struct writer w = writer_of(ret, capacity);

	write_bytes(&w, software_ima_text(algorithm));
	write_u8(&w, ':');
	write_u8(&w, 0);
	write_bytes(&w, digest);
	assert(!w.failed);
	return w.size;
}

void
software_ima_write(struct software_ima *list, uint32_t pcr, const uint8_t *digest,
		   const char *template_name, struct bytes data)
{
	struct writer w = writer_of(list->data + list->size, sizeof(list->data) - list->size);
	uint8_t right[64];

	software_ima_hash("sha1", data, right);
	write_le32(&w, pcr);
	write_bytes(&w, (struct bytes){digest != NULL ? digest : right, 20});
	write_le32(&w, strlen(template_name));
	write_bytes(&w, software_ima_text(template_name));
	write_le32(&w, data.size);
	write_bytes(&w, data);
	assert(!w.failed);
	list->size += w.size;
}

void
software_ima_extend(struct software_ima *list, struct bytes data, bool violation)
{
	for (unsigned i = 0; i < SOFTWARE_IMA_BANKS; i++) {
		uint8_t pair[128];
		size_t size = software_ima_hash(BANKS[i], data, pair + 64);

		if (violation)
			memset(pair + 64, 0xff, size);
		memmove(pair + size, pair + 64, size);
		memcpy(pair, list->pcr10[i], size);
		software_ima_hash(BANKS[i], (struct bytes){pair, 2 * size}, list->pcr10[i]);
	}
}

void
software_ima_add(struct software_ima *list, uint32_t pcr, const char *template_name,
		 struct bytes data)
{
	software_ima_write(list, pcr, NULL, template_name, data);
	if (pcr == 10)
		software_ima_extend(list, data, false);
}

static size_t
entry_data(const char *name, const char *content, const struct bytes *third, uint8_t *ret)
{
	uint8_t hash[64];
	uint8_t digest[80];
	size_t hash_size = software_ima_hash("sha256", software_ima_text(content), hash);
	const struct bytes fields[] = {
		{digest, software_ima_digest("sha256", (struct bytes){hash, hash_size}, digest,
					     sizeof(digest))},
		{(const uint8_t *)name, strlen(name) + 1},
		third != NULL ? *third : (struct bytes){0},
	};

	return software_ima_fields(fields, third != NULL ? 3 : 2, ret, DATA_MAX);
}

void
software_ima_file(struct software_ima *list, const char *name, const char *content,
		  const struct bytes *third)
{
	uint8_t data[DATA_MAX];
	size_t size = entry_data(name, content, third, data);

	software_ima_add(list, 10, third != NULL ? "ima-sig" : "ima-ng",
			 (struct bytes){data, size});
}

void
software_ima_buffer(struct software_ima *list, const char *name, const char *content)
{
	uint8_t data[DATA_MAX];
	struct bytes buffer = software_ima_text(content);
	size_t size = entry_data(name, content, &buffer, data);

	software_ima_add(list, 10, "ima-buf", (struct bytes){data, size});
}

void
software_ima_violation(struct software_ima *list, const char *name)
{
	static const uint8_t zeros[20];
	uint8_t data[DATA_MAX];
	size_t size = entry_data(name, "", NULL, data);

	software_ima_write(list, 10, zeros, "ima-ng", (struct bytes){data, size});
	software_ima_extend(list, (struct bytes){data, size}, true);
}

void
software_ima_boot(struct software_ima *list)
{
	software_ima_file(list, "boot_aggregate", "PCRs", NULL);
}
