/* SPDX-License-Identifier: Apache-2.0 */
#include "pcr_file_forms.h"

#include "command.h"
#include "encode.h"
#include "file.h"
#include "json.h"

#include <stdio.h>
#include <string.h>

/* Banks that TPMs have and that prove nothing here; tpm2_pcrread prints them too. */
static const char *const OTHER_BANKS[] = {"sm3_256", "sha3_256", "sha3_384", "sha3_512"};

size_t
pcr_parse_bank(const char *name, size_t size)
{
	size_t bank = 0;

	for (; bank < ATTEST_BANKS; bank++) {
		const char *own = attest_bank_name((enum attest_bank)bank);
		if (strlen(own) == size && memcmp(own, name, size) == 0)
			break;
	}
	return bank;
}

bool
pcr_parse_other_bank(const char *name, size_t size)
{
	for (size_t i = 0; i < sizeof(OTHER_BANKS) / sizeof(*OTHER_BANKS); i++)
		if (strlen(OTHER_BANKS[i]) == size && memcmp(OTHER_BANKS[i], name, size) == 0)
			return true;
	return false;
}

void
pcr_parse_fail(struct pcr_parse *parse, const char *why)
{
	if (parse->why == NULL)
		parse->why = why;
}

void
pcr_parse_value(struct pcr_parse *parse, size_t bank, uint32_t pcr, const uint8_t *value)
{
	struct attest_pcrs *pcrs = &parse->file.pcrs[bank];

	if ((pcrs->known >> pcr & 1) != 0) {
		pcr_parse_fail(parse, "it gives one PCR twice");
		return;
	}
	memcpy(pcrs->values[pcr], value, attest_bank_size((enum attest_bank)bank));
	pcrs->known |= 1U << pcr;
	parse->file.banks |= 1U << bank;
}

bool
pcr_parse_number(const char *text, size_t size, uint32_t *ret_pcr)
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

void
pcr_parse_hex(struct pcr_parse *parse, size_t bank, uint32_t pcr, const char *text)
{
	uint8_t value[ATTEST_DIGEST_MAX];

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		text += 2;
	if (!hex_decode(text, value, attest_bank_size((enum attest_bank)bank)))
		pcr_parse_fail(parse, "a value is not hex of its bank's size");
	else
		pcr_parse_value(parse, bank, pcr, value);
}

static bool
blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct bytes
pcr_parse_trimmed(struct bytes text)
{
	struct reader r = reader_of(text);

	while (r.left > 0 && blank(*r.next))
		read_u8(&r);
	text = read_bytes(&r, r.left);
	while (text.size > 0 && blank(text.data[text.size - 1]))
		text.size--;
	return text;
}

/* ---- JSON ---- */

static void
json_bank(struct pcr_parse *parse, size_t bank, json_t *values)
{
	const char *key;
	json_t *value;

	if (!json_is_object(values))
		pcr_parse_fail(parse, "a bank is not an object");
	json_object_foreach(values, key, value)
	{
		uint32_t pcr = 0;
		if (!pcr_parse_number(key, strlen(key), &pcr))
			pcr_parse_fail(parse, "a member is not the number of a PCR, 0 to 23");
		else if (!json_is_string(value))
			pcr_parse_fail(parse, "a value is not a text");
		else
			pcr_parse_hex(parse, bank, pcr, json_string_value(value));
	}
}

/* Values without a bank around them, as the broker has them: all of them are SHA-256. */
static bool
numbered(json_t *pcrs)
{
	void *first = json_object_iter(pcrs);
	const char *key = first != NULL ? json_object_iter_key(first) : "";
	uint32_t pcr = 0;

	return pcr_parse_number(key, strlen(key), &pcr);
}

static void
parse_json(struct pcr_parse *parse, struct bytes file)
{
	auto_json *json = json_parse((const char *)file.data, file.size);
	json_t *banks = json_object_get(json, "pcrs");
	const char *name;
	json_t *values;

	if (json == NULL)
		pcr_parse_fail(parse, "not an object of JSON");
	if (numbered(banks)) {
		json_bank(parse, ATTEST_SHA256, banks);
		return;
	}
	if (banks == NULL)
		banks = json;
	json_object_foreach(banks, name, values)
	{
		size_t bank = pcr_parse_bank(name, strlen(name));
		if (bank < ATTEST_BANKS)
			json_bank(parse, bank, values);
		else if (!pcr_parse_other_bank(name, strlen(name)))
			pcr_parse_fail(parse, "a member is not the name of a bank");
	}
}

bool
pcr_file_parse(struct bytes file, struct pcr_file *ret_file, char ret_why[PCR_FILE_WHY])
{
	struct pcr_parse parse = {.why = NULL};

	for (size_t i = 0; i < ATTEST_BANKS; i++)
		parse.file.pcrs[i].bank = (enum attest_bank)i;
	if (pcr_parse_trimmed(file).size == 0)
		pcr_parse_fail(&parse, "it is empty");
	else if (pcr_parse_is_binary(file))
		pcr_parse_binary(&parse, file);
	else if (pcr_parse_trimmed(file).data[0] == '{')
		parse_json(&parse, file);
	else if (!pcr_parse_list(&parse, file))
		pcr_parse_printed(&parse, file);
	if (parse.file.banks == 0)
		pcr_parse_fail(&parse, "it has no PCR values");
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
