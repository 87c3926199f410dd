/* SPDX-License-Identifier: Apache-2.0 */
#include "key.h"

#include "attest/bytes.h"
#include "command.h"
#include "encode.h"
#include "file.h"
#include "prompt.h"

#include <sodium.h>
#include <string.h>
#include <sys/stat.h>

#define KEY_FILE_MAX   4096
#define PASSPHRASE_MAX 1024
#define BOX_SIZE       (KEY_SEED_SIZE + crypto_secretbox_MACBYTES)
#define SEALED_SIZE    (4 + 4 + crypto_pwhash_SALTBYTES + crypto_secretbox_NONCEBYTES + BOX_SIZE)
#define SEALED_BASE64  256
#define PASSES	       3
#define KIBIBYTES      (256 * 1024)
#define PASSES_MAX     16 /* what a key file may demand of us */
#define KIBIBYTES_MAX  (1024 * 1024)

static const char header_plain[] = "postern operator key 1\n";
static const char header_sealed[] = "postern operator key 1, sealed\n";

int
key_generate(struct secret **ret_seed)
{
	struct secret *seed = secret_new(KEY_SEED_SIZE);

	if (seed == NULL)
		return complain(EX_SOFTWARE, LOCKING_FAILED);
	randombytes_buf(seed->bytes, KEY_SEED_SIZE);
	*ret_seed = seed;
	return 0;
}

void
key_public(const struct secret *seed, uint8_t ret_public[KEY_PUBLIC_SIZE])
{
	uint8_t private_key[crypto_sign_SECRETKEYBYTES];

	(void)crypto_sign_seed_keypair(ret_public, private_key, seed->bytes);
	sodium_memzero(private_key, sizeof(private_key));
}

/* False: no memory for argon2id. */
static bool
stretch(const struct secret *passphrase, const uint8_t *salt, uint32_t passes, uint32_t kibibytes,
	struct secret *ret_key)
{
	return crypto_pwhash(ret_key->bytes, ret_key->size, (const char *)passphrase->bytes,
			     passphrase->size, salt, passes, (size_t)kibibytes * 1024,
			     crypto_pwhash_ALG_ARGON2ID13) == 0;
}

static bool
seed_seal(const struct secret *seed, const struct secret *passphrase, struct writer *w)
{
	uint8_t salt[crypto_pwhash_SALTBYTES], nonce[crypto_secretbox_NONCEBYTES], box[BOX_SIZE];
	auto_secret *key = secret_new(crypto_secretbox_KEYBYTES);

	randombytes_buf(salt, sizeof(salt));
	randombytes_buf(nonce, sizeof(nonce));
	if (key == NULL || !stretch(passphrase, salt, PASSES, KIBIBYTES, key) ||
	    crypto_secretbox_easy(box, seed->bytes, KEY_SEED_SIZE, nonce, key->bytes) != 0)
		return false;
	write_be32(w, PASSES);
	write_be32(w, KIBIBYTES);
	write_bytes(w, BYTES_OF(salt));
	write_bytes(w, BYTES_OF(nonce));
	write_bytes(w, BYTES_OF(box));
	return !w->failed;
}

int
key_write(const char *path, const struct secret *seed, const struct secret *passphrase)
{
	const char *header = passphrase != NULL ? header_sealed : header_plain;
	auto_secret *file = secret_new(sizeof(header_sealed) + SEALED_BASE64 + 1);
	uint8_t sealed[SEALED_SIZE];
	struct writer w = writer_of(sealed, sizeof(sealed));
	size_t used = strlen(header);

	if (file == NULL)
		return complain(EX_SOFTWARE, LOCKING_FAILED);
	if (passphrase != NULL && !seed_seal(seed, passphrase, &w))
		return complain(EX_SOFTWARE, "no memory to stretch the passphrase in");
	memcpy(file->bytes, header, used);
	char *text = (char *)file->bytes + used;
	(void)sodium_bin2base64(text, SEALED_BASE64, passphrase != NULL ? sealed : seed->bytes,
				passphrase != NULL ? w.size : KEY_SEED_SIZE,
				sodium_base64_VARIANT_ORIGINAL);
	used += strlen(text);
	file->bytes[used++] = '\n';
	return file_write_new(path, 0600, file->bytes, used);
}

/* The base64 line behind `header`: exactly `size` bytes of it, and nothing behind its newline. */
static bool
line_decode(const struct secret *file, const char *header, uint8_t *ret_bytes, size_t size)
{
	size_t used = strlen(header), got = 0;
	const char *text = (const char *)file->bytes;

	if (file->size <= used + 1 || memcmp(text, header, used) != 0 ||
	    text[file->size - 1] != '\n')
		return false;
	return base64_decode(text + used, file->size - used - 1, ret_bytes, size, &got) &&
	       got == size;
}

static int
seed_open(const char *path, const uint8_t sealed[SEALED_SIZE], const struct secret *passphrase,
	  struct secret *ret_seed)
{
	struct reader r = reader_of((struct bytes){sealed, SEALED_SIZE});
	auto_secret *key = secret_new(crypto_secretbox_KEYBYTES);
	uint32_t passes = read_be32(&r), kibibytes = read_be32(&r);
	struct bytes salt = read_bytes(&r, crypto_pwhash_SALTBYTES);
	struct bytes nonce = read_bytes(&r, crypto_secretbox_NONCEBYTES);
	struct bytes box = read_bytes(&r, BOX_SIZE);

	if (!reader_finished(&r) || passes == 0 || passes > PASSES_MAX || kibibytes < 8 ||
	    kibibytes > KIBIBYTES_MAX)
		return complain(EX_DATAERR, "%s: not an operator's key file", path);
	if (key == NULL || !stretch(passphrase, salt.data, passes, kibibytes, key))
		return complain(EX_SOFTWARE, "no memory to stretch the passphrase in");
	if (crypto_secretbox_open_easy(ret_seed->bytes, box.data, box.size, nonce.data,
				       key->bytes) != 0)
		return complain(EX_NOPERM, "%s: wrong passphrase, or a damaged file", path);
	return 0;
}

int
key_passphrase_read(const char *path, struct secret **ret_passphrase)
{
	auto_secret *passphrase = NULL;
	int status = file_read_secret(path, PASSPHRASE_MAX, &passphrase);

	if (status != 0)
		return status;
	const uint8_t *newline = memchr(passphrase->bytes, '\n', passphrase->size);
	if (newline != NULL)
		passphrase->size = (size_t)(newline - passphrase->bytes);
	if (passphrase->size == 0)
		return complain(EX_DATAERR, "%s: its first line is empty", path);
	*ret_passphrase = passphrase;
	passphrase = NULL;
	return 0;
}

static int
passphrase_get(const char *path, const char *passphrase_file, struct secret **ret_passphrase)
{
	char question[FILE_PATH_MAX + 32] = "Passphrase of ";

	if (passphrase_file != NULL)
		return key_passphrase_read(passphrase_file, ret_passphrase);
	text_tame(path, strlen(path), question + 14, FILE_PATH_MAX);
	memcpy(question + strlen(question), ": ", 3);
	return prompt_secret(question,
			     "name a file with the passphrase: passphrase_file in operator.conf",
			     ret_passphrase);
}

int
key_read(const char *path, const char *passphrase_file, struct secret **ret_seed)
{
	auto_secret *file = NULL, *passphrase = NULL, *seed = secret_new(KEY_SEED_SIZE);
	uint8_t sealed[SEALED_SIZE];
	struct stat information;
	int status = file_read_secret(path, KEY_FILE_MAX, &file);

	if (status != 0)
		return status;
	if (seed == NULL)
		return complain(EX_SOFTWARE, LOCKING_FAILED);
	if (line_decode(file, header_sealed, sealed, sizeof(sealed))) {
		status = passphrase_get(path, passphrase_file, &passphrase);
		if (status == 0)
			status = seed_open(path, sealed, passphrase, seed);
	} else if (!line_decode(file, header_plain, seed->bytes, KEY_SEED_SIZE)) {
		status = complain(EX_DATAERR, "%s: not an operator's key file", path);
	} else if (stat(path, &information) == 0 && (information.st_mode & 077) != 0) {
		status = complain(EX_CONFIG,
				  "%s: a key in the clear that others can read: make a new one, or "
				  "chmod 600 if you are sure",
				  path);
	}
	if (status != 0)
		return status;
	*ret_seed = seed;
	seed = NULL;
	return 0;
}
