/* SPDX-License-Identifier: Apache-2.0 */
/* Writes corpus/wire anew: make_wire_seeds FOLDER. One sample of each codec, a frame and a
 * configuration file. */
#include "wire_codecs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEED_MAX 8192

static void
save(const char *folder, const char *name, unsigned selector, struct bytes seed)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "wb");
	if (file == NULL || fputc((int)selector, file) == EOF ||
	    fwrite(seed.data, 1, seed.size, file) != seed.size || fclose(file) != 0) {
		fprintf(stderr, "make_wire_seeds: cannot write %s\n", path);
		exit(EXIT_FAILURE);
	}
}

int
main(int count, char **arguments)
{
	static const uint8_t frame[] = {1, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 1, 'b', 'o', 'd', 'y'};
	static const char file[] = "# comment\na = 1\na = 2\nb = 3\n";
	static uint8_t memory[SEED_MAX];
	if (count != 2) {
		fprintf(stderr, "usage: make_wire_seeds FOLDER\n");
		return EXIT_FAILURE;
	}
	for (unsigned i = 0; i < wire_codec_count; i++) {
		struct writer w = writer_of(memory, sizeof(memory));
		wire_codecs[i].sample(&w);
		save(arguments[1], wire_codecs[i].name, i, writer_bytes(&w));
	}
	save(arguments[1], "frame", wire_codec_count, BYTES_OF(frame));
	save(arguments[1], "settings", wire_codec_count + 1,
	     (struct bytes){(const uint8_t *)file, strlen(file)});
	return EXIT_SUCCESS;
}
