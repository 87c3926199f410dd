/* SPDX-License-Identifier: Apache-2.0 */
#include "pcr_file.h"

#include "command.h"
#include "encode.h"
#include "file.h"
#include "json.h"

#include <stdio.h>
#include <string.h>

/* As tpm2-tools writes memory of TPM 2.0 Library Part 2's structures on a little-endian machine. */
#define SELECTIONS_MAX	16 /* TPML_PCR_SELECTION */
#define SELECT_SIZE_MAX 4  /* TPMS_PCR_SELECTION, with a byte that pads it to eight */
#define DIGESTS_MAX	8  /* TPML_DIGEST */
#define LISTS_MAX	16 /* of those: 24 PCRs in four banks are twelve */
#define LINE_SIZE_MAX	256

/* Banks that TPMs have and that prove nothing here; tpm2_pcrread prints them too. */
static const char *const OTHER_BANKS[] = {"sm3_256", "sha3_256", "sha3_384", "sha3_512"};

static const char NO_FORM[] = "neither JSON, nor what tpm2_quote -o or tpm2_pcrread write";

struct parse {
	struct pcr_file file;
	const char *why; /* NULL: nothing is wrong */
};

/* ATTEST_BANKS: not one of ours. */
static size_t
bank_named(const char *name, size_t size)
{
	size_t bank = 0;

	for (; bank < ATTEST_BANKS; bank++) {
		const char *own = attest_bank_name((enum attest_bank)bank);
		if (strlen(own) == size && memcmp(own, name, size) == 0)
			break;
	}
	return bank;
}

static bool
bank_other(const char *name, size_t size)
{
	for (size_t i = 0; i < sizeof(OTHER_BANKS) / sizeof(*OTHER_BANKS); i++)
		if (strlen(OTHER_BANKS[i]) == size && memcmp(OTHER_BANKS[i], name, size) == 0)
			return true;
	return false;
}

static void
fail(struct parse *parse, const char *why)
{
	if (parse->why == NULL)
		parse->why = why;
}

static void
value_set(struct parse *parse, size_t bank, uint32_t pcr, const uint8_t *value)
{
	struct attest_pcrs *pcrs = &parse->file.pcrs[bank];

	if ((pcrs->known >> pcr & 1) != 0) {
		fail(parse, "it gives one PCR twice");
		return;
	}
	memcpy(pcrs->values[pcr], value, attest_bank_size((enum attest_bank)bank));
	pcrs->known |= 1U << pcr;
	parse->file.banks |= 1U << bank;
}

/* "7", and not "07" or "+7". */
static bool
pcr_number(const char *text, size_t size, uint32_t *ret_pcr)
{
	uint32_t pcr = 0;

	if (size == 0 || size > 2 || (size == 2 && text[0] == '0'))
		return false;
	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		pcr = 10 * pcr + (uint32_t)(text[i] - '0');
	}
	*ret_pcr = pcr;
	return pcr < ATTEST_PCRS;
}

/* Hex of exactly the bank's size, after "0x" or without it. */
static void
value_text(struct parse *parse, size_t bank, uint32_t pcr, const char *text)
{
	uint8_t value[ATTEST_DIGEST_MAX];

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		text += 2;
	if (!hex_decode(text, value, attest_bank_size((enum attest_bank)bank)))
		fail(parse, "a value is not hex of its bank's size");
	else
		value_set(parse, bank, pcr, value);
}

/* ---- JSON ---- */

static void
json_bank(struct parse *parse, size_t bank, json_t *values)
{
	const char *key;
	json_t *value;

	if (!json_is_object(values))
		fail(parse, "a bank is not an object");
	json_object_foreach(values, key, value)
	{
		uint32_t pcr = 0;
		if (!pcr_number(key, strlen(key), &pcr))
			fail(parse, "a member is not the number of a PCR, 0 to 23");
		else if (!json_is_string(value))
			fail(parse, "a value is not a text");
		else
			value_text(parse, bank, pcr, json_string_value(value));
	}
}

/* Values without a bank around them, as the broker has them: all of them are SHA-256. */
static bool
numbered(json_t *pcrs)
{
	void *first = json_object_iter(pcrs);
	const char *key = first != NULL ? json_object_iter_key(first) : "";
	uint32_t pcr = 0;

	return pcr_number(key, strlen(key), &pcr);
}

static void
parse_json(struct parse *parse, struct bytes file)
{
	auto_json *json = json_parse((const char *)file.data, file.size);
	json_t *banks = json_object_get(json, "pcrs");
	const char *name;
	json_t *values;

	if (json == NULL)
		fail(parse, "not an object of JSON");
	if (numbered(banks)) {
		json_bank(parse, ATTEST_SHA256, banks);
		return;
	}
	if (banks == NULL)
		banks = json;
	json_object_foreach(banks, name, values)
	{
		size_t bank = bank_named(name, strlen(name));
		if (bank < ATTEST_BANKS)
			json_bank(parse, bank, values);
		else if (!bank_other(name, strlen(name)))
			fail(parse, "a member is not the name of a bank");
	}
}

/* ---- tpm2_pcrread ---- */

static bool
blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct bytes
trimmed(struct bytes text)
{
	struct reader r = reader_of(text);

	while (r.left > 0 && blank(*r.next))
		read_u8(&r);
	text = read_bytes(&r, r.left);
	while (text.size > 0 && blank(text.data[text.size - 1]))
		text.size--;
	return text;
}

/* "sha256:" or "0 : 0x..."; `bank` is the one that the line above named. */
static void
parse_line(struct parse *parse, struct bytes line, size_t *bank)
{
	char value[LINE_SIZE_MAX];
	uint32_t pcr = 0;

	line = trimmed(line);
	if (line.size == 0)
		return;
	const uint8_t *colon = memchr(line.data, ':', line.size);
	if (colon == NULL) {
		fail(parse, "a line has no colon");
		return;
	}
	struct bytes name = trimmed((struct bytes){line.data, (size_t)(colon - line.data)});
	struct bytes rest =
		trimmed((struct bytes){colon + 1, line.size - 1 - (size_t)(colon - line.data)});
	if (rest.size == 0) {
		*bank = bank_named((const char *)name.data, name.size);
		if (*bank == ATTEST_BANKS && !bank_other((const char *)name.data, name.size))
			fail(parse, "a line is not the name of a bank");
		return;
	}
	if (!pcr_number((const char *)name.data, name.size, &pcr)) {
		fail(parse, "a line is not of a PCR, 0 to 23");
		return;
	}
	if (*bank == ATTEST_BANKS)
		return;
	(void)snprintf(value, sizeof(value), "%.*s", (int)rest.size, (const char *)rest.data);
	value_text(parse, *bank, pcr, value);
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

static void
parse_text(struct parse *parse, struct bytes file)
{
	struct reader r = reader_of(pcrs_section(file));
	size_t bank = ATTEST_BANKS;
	bool named = false;

	while (r.left > 0 && parse->why == NULL) {
		struct bytes line = trimmed(next_line(&r));
		bool name = line.size > 0 && line.data[line.size - 1] == ':';

		/* values before any bank's name would be of no bank */
		if (line.size >= LINE_SIZE_MAX || (line.size > 0 && !name && !named) ||
		    memchr(line.data, '\0', line.size) != NULL)
			fail(parse, NO_FORM);
		else
			parse_line(parse, line, &bank);
		named = named || name;
	}
}

/* One value a line and nothing else, of PCR 0 to 23 in their order: the size tells the bank. */
static bool
parse_list(struct parse *parse, struct bytes file)
{
	struct reader r = reader_of(trimmed(file));
	size_t bank = 0, size = trimmed(next_line(&r)).size;

	while (bank < ATTEST_BANKS && 2 * attest_bank_size((enum attest_bank)bank) != size)
		bank++;
	if (bank == ATTEST_BANKS)
		return false;
	r = reader_of(trimmed(file));
	for (uint32_t pcr = 0; pcr < ATTEST_PCRS; pcr++) {
		struct bytes line = trimmed(next_line(&r));
		char value[2 * ATTEST_DIGEST_MAX + 1];
		if (line.size != size) {
			fail(parse, "a list of values is not of 24 PCRs of one bank");
			return true;
		}
		(void)snprintf(value, sizeof(value), "%.*s", (int)line.size,
			       (const char *)line.data);
		value_text(parse, bank, pcr, value);
	}
	if (!reader_finished(&r))
		fail(parse, "a list of values is not of 24 PCRs of one bank");
	return true;
}

/* ---- tpm2_quote -o ---- */

struct selection {
	size_t bank; /* ATTEST_BANKS: one that is skipped */
	uint32_t pcrs;
};

static size_t
bank_of_algorithm(uint16_t algorithm)
{
	static const uint16_t algorithms[ATTEST_BANKS] = {0x0004, 0x000b, 0x000c, 0x000d};
	size_t bank = 0;

	while (bank < ATTEST_BANKS && algorithms[bank] != algorithm)
		bank++;
	return bank;
}

static void
read_selection(struct reader *r, bool used, struct selection *ret_selection)
{
	uint16_t algorithm = read_le16(r);
	uint32_t size = read_count(r, read_u8(r), SELECT_SIZE_MAX);
	uint32_t pcrs = read_le32(r);

	read_u8(r);
	*ret_selection = (struct selection){.bank = bank_of_algorithm(algorithm)};
	if (!used)
		return;
	/* what lies behind sizeofSelect is not part of the selection */
	ret_selection->pcrs = size < SELECT_SIZE_MAX ? pcrs & ((1U << 8 * size) - 1) : pcrs;
	if (ret_selection->pcrs >> ATTEST_PCRS != 0)
		reader_fail(r);
}

static uint32_t
lowest_bit(uint32_t bits)
{
	return (uint32_t)__builtin_ctz(bits);
}

/* Takes the next PCR that is selected, banks in their order; false: there is none. */
static bool
selection_next(struct selection *selections, uint32_t count, size_t *ret_bank, uint32_t *ret_pcr)
{
	for (uint32_t i = 0; i < count; i++) {
		if (selections[i].pcrs == 0)
			continue;
		*ret_bank = selections[i].bank;
		*ret_pcr = lowest_bit(selections[i].pcrs);
		selections[i].pcrs &= selections[i].pcrs - 1;
		return true;
	}
	return false;
}

/* One TPM2B_DIGEST of fixed room. */
static void
read_digest(struct parse *parse, struct reader *r, struct selection *selections, uint32_t count)
{
	uint16_t size = read_le16(r);
	struct bytes room = read_bytes(r, ATTEST_DIGEST_MAX);
	size_t bank = 0;
	uint32_t pcr = 0;

	if (r->failed)
		return;
	if (!selection_next(selections, count, &bank, &pcr))
		fail(parse, "it holds more digests than it says it selects");
	else if (bank < ATTEST_BANKS && size != attest_bank_size((enum attest_bank)bank))
		fail(parse, "a digest is not of its bank's size");
	else if (bank < ATTEST_BANKS)
		value_set(parse, bank, pcr, room.data);
}

static void
parse_binary(struct parse *parse, struct bytes file)
{
	struct selection selections[SELECTIONS_MAX];
	struct reader r = reader_of(file);
	size_t bank = 0;
	uint32_t pcr = 0;

	uint32_t count = read_count(&r, read_le32(&r), SELECTIONS_MAX);
	for (uint32_t i = 0; i < SELECTIONS_MAX; i++)
		read_selection(&r, i < count, &selections[i]);
	uint32_t lists = read_count(&r, read_le32(&r), LISTS_MAX);
	for (uint32_t i = 0; i < lists; i++) {
		uint32_t digests = read_count(&r, read_le32(&r), DIGESTS_MAX);
		for (uint32_t j = 0; j < DIGESTS_MAX; j++)
			if (j < digests)
				read_digest(parse, &r, selections, count);
			else
				read_bytes(&r, 2 + ATTEST_DIGEST_MAX);
	}
	if (!reader_finished(&r))
		fail(parse, "what looks like the output of tpm2_quote -o does not parse");
	if (selection_next(selections, count, &bank, &pcr))
		fail(parse, "it holds fewer digests than it says it selects");
}

bool
pcr_file_parse(struct bytes file, struct pcr_file *ret_file, char ret_why[PCR_FILE_WHY])
{
	struct parse parse = {.why = NULL};
	struct reader r = reader_of(file);
	uint32_t first = read_le32(&r);

	for (size_t i = 0; i < ATTEST_BANKS; i++)
		parse.file.pcrs[i].bank = (enum attest_bank)i;
	/* No text has three NULs there. */
	if (trimmed(file).size == 0)
		fail(&parse, "it is empty");
	else if (first > 0 && first <= SELECTIONS_MAX)
		parse_binary(&parse, file);
	else if (trimmed(file).data[0] == '{')
		parse_json(&parse, file);
	else if (!parse_list(&parse, file))
		parse_text(&parse, file);
	if (parse.file.banks == 0)
		fail(&parse, "it has no PCR values");
	if (parse.why != NULL) {
		(void)snprintf(ret_why, PCR_FILE_WHY, "%s", parse.why);
		return false;
	}
	*ret_file = parse.file;
	return true;
}

int
pcr_file_read(const char *path, struct pcr_file *ret_file)
{
	auto_file_text text = {.data = NULL};
	char why[PCR_FILE_WHY];
	int status = file_read(path, PCR_FILE_MAX, &text);

	if (status != 0)
		return status;
	if (!pcr_file_parse((struct bytes){(const uint8_t *)text.data, text.size}, ret_file, why))
		return complain(EX_DATAERR, "%s: no file of PCR values: %s", path, why);
	return 0;
}
