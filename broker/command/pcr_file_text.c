/* SPDX-License-Identifier: Apache-2.0 */
#include "pcr_file_forms.h"

#include <stdio.h>
#include <string.h>

#define LINE_SIZE_MAX 256

static const char NO_FORM[] = "neither JSON, nor what tpm2_quote -o or tpm2_pcrread write";

/* "sha256:" or "0 : 0x..."; `bank` is the one that the line above named. */
static void
parse_line(struct pcr_parse *parse, struct bytes line, size_t *bank)
{
	char value[LINE_SIZE_MAX];
	uint32_t pcr = 0;

	line = pcr_parse_trimmed(line);
	if (line.size == 0)
		return;
	const uint8_t *colon = memchr(line.data, ':', line.size);
	if (colon == NULL) {
		pcr_parse_fail(parse, "a line has no colon");
		return;
	}
	struct bytes name =
		pcr_parse_trimmed((struct bytes){line.data, (size_t)(colon - line.data)});
	struct bytes rest = pcr_parse_trimmed(
		(struct bytes){colon + 1, line.size - 1 - (size_t)(colon - line.data)});
	if (rest.size == 0) {
		*bank = pcr_parse_bank((const char *)name.data, name.size);
		if (*bank == ATTEST_BANKS &&
		    !pcr_parse_other_bank((const char *)name.data, name.size))
			pcr_parse_fail(parse, "a line is not the name of a bank");
		return;
	}
	if (!pcr_parse_number((const char *)name.data, name.size, &pcr)) {
		pcr_parse_fail(parse, "a line is not of a PCR, 0 to 23");
		return;
	}
	if (*bank == ATTEST_BANKS)
		return;
	(void)snprintf(value, sizeof(value), "%.*s", (int)rest.size, (const char *)rest.data);
	pcr_parse_hex(parse, *bank, pcr, value);
}

/* The lines below "pcrs:" that are indented, where there is such a line; else all. */
static struct bytes
pcrs_section(struct bytes file)
{
	static const char title[] = "\npcrs:\n";
	const uint8_t *found = memmem(file.data, file.size, title, strlen(title));

	if (found == NULL)
		return file;
	struct reader r = reader_of(file);
	read_bytes(&r, (size_t)(found - file.data) + strlen(title));
	struct bytes rest = {r.next, r.left};
	for (size_t i = 0; i < rest.size; i++)
		if ((i == 0 || rest.data[i - 1] == '\n') && rest.data[i] != ' ')
			rest.size = i;
	return rest;
}

static struct bytes
next_line(struct reader *r)
{
	const uint8_t *end = memchr(r->next, '\n', r->left);
	struct bytes line = read_bytes(r, end != NULL ? (size_t)(end - r->next) : r->left);

	if (end != NULL)
		read_u8(r);
	return line;
}

void
pcr_parse_printed(struct pcr_parse *parse, struct bytes file)
{
	struct reader r = reader_of(pcrs_section(file));
	size_t bank = ATTEST_BANKS;
	bool named = false;

	while (r.left > 0 && parse->why == NULL) {
		struct bytes line = pcr_parse_trimmed(next_line(&r));
		bool name = line.size > 0 && line.data[line.size - 1] == ':';

		/* values before any bank's name would be of no bank */
		if (line.size >= LINE_SIZE_MAX || (line.size > 0 && !name && !named) ||
		    memchr(line.data, '\0', line.size) != NULL)
			pcr_parse_fail(parse, NO_FORM);
		else
			parse_line(parse, line, &bank);
		named = named || name;
	}
}

/* One value a line and nothing else, of PCR 0 to 23 in their order: the size tells the bank. */
bool
pcr_parse_list(struct pcr_parse *parse, struct bytes file)
{
	struct reader r = reader_of(pcr_parse_trimmed(file));
	size_t bank = 0, size = pcr_parse_trimmed(next_line(&r)).size;

	while (bank < ATTEST_BANKS && 2 * attest_bank_size((enum attest_bank)bank) != size)
		bank++;
	if (bank == ATTEST_BANKS)
		return false;
	r = reader_of(pcr_parse_trimmed(file));
	for (uint32_t pcr = 0; pcr < ATTEST_PCRS; pcr++) {
		struct bytes line = pcr_parse_trimmed(next_line(&r));
		char value[2 * ATTEST_DIGEST_MAX + 1];
		if (line.size != size) {
			pcr_parse_fail(parse, "a list of values is not of 24 PCRs of one bank");
			return true;
		}
		(void)snprintf(value, sizeof(value), "%.*s", (int)line.size,
			       (const char *)line.data);
		pcr_parse_hex(parse, bank, pcr, value);
	}
	if (!reader_finished(&r))
		pcr_parse_fail(parse, "a list of values is not of 24 PCRs of one bank");
	return true;
}
