/* SPDX-License-Identifier: Apache-2.0 */
/* Writes corpus/share, corpus/share_set and corpus/backup anew: make_store_seeds FOLDER, which
 * holds those three. The key of the backup is zero. */
#include "store/shares.h"
#include "store/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *
seed(const char *folder, const char *name)
{
	char path[512];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "wb");
	if (!file) {
		fprintf(stderr, "make_store_seeds: cannot write %s\n", path);
		exit(EXIT_FAILURE);
	}
	return file;
}

static bool
record(void *user, struct store_bytes piece)
{
	return fwrite(piece.data, 1, piece.size, user) == piece.size;
}

static void
save_shares(const char *folder)
{
	auto_secret *key = secret_new(STORE_ROOT_KEY_SIZE);
	struct share shares[3];
	struct share_set set;
	char text[SHARE_TEXT_SIZE];
	uint8_t note[SHARES_NOTE_SIZE];

	if (!key || !shares_split(key, 2, 3, shares, &set))
		exit(EXIT_FAILURE);
	share_write(&shares[1], text);
	FILE *file = seed(folder, "share/two-of-three");
	fputs(text, file);
	fclose(file);
	file = seed(folder, "share/as-typed");
	for (const char *at = text; *at; at++) {
		fputc(*at >= 'a' && *at <= 'z' ? *at - 'a' + 'A' : *at, file);
		if (*at == '-')
			fputs(" \r\n", file);
	}
	fclose(file);
	file = seed(folder, "share_set/three");
	fwrite(note, 1, share_set_write(&set, note), file);
	fclose(file);
	fclose(seed(folder, "share_set/none"));
}

/* Items of each kind: a whole stream, and the same without it. */
static void
save_backup(const char *folder, const char *name, bool whole)
{
	static const uint8_t key[KEY_SIZE], slot[BACKEND_SLOT_SIZE] = {1};
	const struct header header = {0};
	const struct backend_record body = {7, {(const uint8_t *)"sealed", 6}};
	const struct stream_counts counts = {.records = 2, .slots = 1, .destroyed = 1};
	struct store_bytes copy;
	FILE *file = seed(folder, name);
	auto_stream_writer out = {.sink = record, .key = key};

	fputc(whole, file);
	out.user = whole ? file : fopen("/dev/null", "wb");
	if (stream_begin(&out, &header, (struct store_bytes){(const uint8_t *)"label", 5}, 2,
			 NULL) != STORE_OK ||
	    stream_add_record(&out, "r/a", &body, &copy, NULL) != STORE_OK)
		exit(EXIT_FAILURE);
	stream_add_slot(&out, 3, slot);
	if (stream_add_record(&out, "r/b", &body, &copy, NULL) != STORE_OK)
		exit(EXIT_FAILURE);
	stream_add_slot(&out, 4, NULL);
	if (!whole)
		fwrite(out.chunk, 1, out.used, file);
	if (stream_end(&out, &counts, NULL) != STORE_OK)
		exit(EXIT_FAILURE);
	if (!whole)
		fclose(out.user);
	fclose(file);
}

int
main(int count, char **arguments)
{
	if (count != 2) {
		fprintf(stderr, "usage: make_store_seeds FOLDER\n");
		return EXIT_FAILURE;
	}
	save_shares(arguments[1]);
	save_backup(arguments[1], "backup/stream", true);
	save_backup(arguments[1], "backup/items", false);
	return EXIT_SUCCESS;
}
