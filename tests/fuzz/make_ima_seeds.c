/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the seeds of fuzz_ima into corpus/ima: make_ima_seeds CORPUS-FOLDER. The same each time.
 */
#include "tests/unit/attest/software_ima.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* security.ima of a file that holds "true", by the key that fuzz_ima.c has. */
static const uint8_t SIGNED[] = {
	0x03, 0x02, 0x04, 0xaa, 0xfd, 0x9d, 0x31, 0x00, 0x48, 0x30, 0x46, 0x02, 0x21, 0x00,
	0x97, 0x56, 0x78, 0x10, 0x02, 0x55, 0x6d, 0x1f, 0xbe, 0xdc, 0xbc, 0x51, 0x31, 0x46,
	0x96, 0xc4, 0xd7, 0x4d, 0x58, 0x54, 0x52, 0x49, 0x98, 0x69, 0x42, 0x0e, 0x02, 0x8b,
	0x66, 0xdf, 0x5b, 0x44, 0x02, 0x21, 0x00, 0xa5, 0x55, 0x4a, 0x3b, 0x6b, 0xfe, 0x0d,
	0xf1, 0x4f, 0x9e, 0x80, 0xea, 0x7b, 0xdf, 0x75, 0x26, 0x43, 0x87, 0x25, 0x9e, 0xf5,
	0x5c, 0x7e, 0x8c, 0x50, 0x66, 0xaa, 0x2c, 0x3b, 0x2c, 0x4f, 0xfe};

#define D20	"7936eb315fb4e74b99e7d461bc5c96049e1ee092"
#define D32	D20 "5bc5c96049e1ee0920000000"
#define LINE(t) "10 " D20 " " t "\n"

static const struct {
	const char *name;
	char choices;
	const char *text;
} TEXTS[] = {
	{"ascii-ima", 1, LINE("ima " D20 " boot_aggregate") LINE("ima " D20 " /init")},
	{"ascii-ng", 5,
	 LINE("ima-ng sha1:" D20 " boot_aggregate") LINE("ima-ng sha256:" D32 " /a b")},
	{"ascii-sig", 13,
	 LINE("ima-sig sha256:" D32 " /a 030204aafd9d3100020102")
		 LINE("ima-sig sha256:" D32 " /b ")},
	{"ascii-buf", 6, LINE("ima-buf sha256:" D32 " .ima 3082")},
	{"ascii-v2", 7,
	 LINE("ima-sigv2 verity:sha256:" D32 " /a 060304aafd9d3100020102")
		 LINE("ima-ngv2 ima:sha512:" D32 D32 " /a")},
	{"ascii-modsig", 4, LINE("ima-modsig sha256:" D32 " /a  sha256:" D32 " 3082")},
	{"ascii-evm", 1, LINE("evm-sig sha256:" D32 " /a 05 a|b 01 02 0 0 33188")},
	{"ascii-violation", 1,
	 "10 0000000000000000000000000000000000000000 ima-ng sha1:" D20 " /v\n"},
};

static const char *folder;

static void
save(const char *name, uint8_t choices, struct bytes list)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/ima", folder);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/ima/%s", folder, name);
	FILE *file = fopen(path, "wb");
	assert(file != NULL && fwrite(&choices, 1, 1, file) == 1);
	assert(fwrite(list.data, 1, list.size, file) == list.size && fclose(file) == 0);
}

int
main(int count, char **arguments)
{
	static struct software_ima list;
	const struct bytes third = BYTES_OF(SIGNED);

	assert(count == 2);
	folder = arguments[1];
	for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++)
		save(TEXTS[i].name, (uint8_t)TEXTS[i].choices, software_ima_text(TEXTS[i].text));
	software_ima_boot(&list);
	software_ima_file(&list, "/usr/bin/true", "true", &third);
	save("binary-signed", 1 + 4 + 8 + 16, software_ima_bytes(&list));
	software_ima_buffer(&list, "kexec-cmdline", "root=/dev/sda1");
	software_ima_file(&list, "/usr/bin/false", "false", NULL);
	software_ima_violation(&list, "/var/log/x");
	software_ima_write(&list, 11, NULL, "ima-ng", software_ima_text("noise"));
	save("binary-mixed", 2 + 4 + 8 + 32, software_ima_bytes(&list));
	return EXIT_SUCCESS;
}
