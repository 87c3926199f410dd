/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the seeds of fuzz_image: make_image_seeds FOLDER */
#include "tests/unit/attest/image_builder.h"

#include <stdio.h>
#include <stdlib.h>

static void
seed_write(const char *folder, const char *name, unsigned how, const struct built_recipe *recipe)
{
	char path[4096];
	struct built built = image_build(recipe);

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "wb");
	if (file == NULL || fputc((int)how, file) == EOF ||
	    fwrite(built.data, 1, built.size, file) != built.size || fclose(file) != 0) {
		fprintf(stderr, "make_image_seeds: cannot write %s\n", path);
		exit(EXIT_FAILURE);
	}
	free(built.data);
}

int
main(int count, char **arguments)
{
	const struct built_recipe bare = {.pe32 = true,
					  .sections = {{.name = ".text", .text = "code"}}};
	struct built kernel = image_build(&bare);
	struct built_recipe uki = {
		.program = "systemd-stub 252.1",
		.sections = {{.name = ".linux",
			      .text = (const char *)kernel.data,
			      .size = kernel.size},
			     {.name = ".osrel", .text = "ID=x", .loaded_size = 9},
			     {.name = ".cmdline", .text = "quiet\n"},
			     {.name = ".sbat", .text = "sbat,1"}},
		.certificates = 16,
		.behind = 3,
	};

	if (count != 2) {
		fprintf(stderr, "usage: make_image_seeds FOLDER\n");
		return EXIT_FAILURE;
	}
	seed_write(arguments[1], "bare", 0, &bare);
	seed_write(arguments[1], "uki-252", 0, &uki);
	seed_write(arguments[1], "uki-252-direct-line", 2 | 8, &uki);
	uki.program = "systemd-stub 260";
	uki.certificates = 0;
	seed_write(arguments[1], "uki-260-secure", 4 | 8, &uki);
	uki.program = "systemd-boot 252";
	seed_write(arguments[1], "menu", 1, &uki);
	free(kernel.data);
	return EXIT_SUCCESS;
}
