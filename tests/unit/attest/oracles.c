/* SPDX-License-Identifier: Apache-2.0 */
#include "oracles.h"
#include "corpora.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
set_value(struct attest_pcrs *bank, unsigned long pcr, const char *hex)
{
	long size = 0;
	unsigned char *bytes = OPENSSL_hexstr2buf(hex, &size);

	assert_true(pcr < ATTEST_PCRS);
	assert_int_equal(size, attest_bank_size(bank->bank));
	memcpy(bank->values[pcr], bytes, (size_t)size);
	bank->known |= 1U << pcr;
	OPENSSL_free(bytes);
}

static void
load_json(const char *name, const char *key, struct oracle *oracle)
{
	struct bytes text = corpora_load(name);
	json_t *root = json_loadb((const char *)text.data, text.size, 0, NULL);
	json_t *log = json_object_get(root, key);
	json_t *banks = json_object_get(log, "banks");
	const char *pcr;
	json_t *value;

	assert_non_null(log);
	for (unsigned i = 0; i < ATTEST_BANKS; i++)
		json_object_foreach(json_object_get(banks == NULL ? log : banks,
						    attest_bank_name((enum attest_bank)i)),
				    pcr, value) set_value(&oracle->banks[i], strtoul(pcr, NULL, 10),
							  json_string_value(value));
	json_decref(root);
	corpora_unload(text);
}

/* Its `pcrs` section: a line for each bank, and below it one for each PCR. */
static void
load_yaml(const char *name, struct oracle *oracle)
{
	char path[CORPORA_PATH_SIZE];
	char line[256];
	bool in_pcrs = false;
	struct attest_pcrs *bank = NULL;

	corpora_path(name, path);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		char word[132];
		unsigned pcr;

		in_pcrs = in_pcrs || strncmp(line, "pcrs:", 5) == 0;
		if (!in_pcrs)
			continue;
		if (bank != NULL && sscanf(line, " %u : 0x%130[0-9a-f]", &pcr, word) == 2)
			set_value(bank, pcr, word);
		else if (sscanf(line, " %130[a-z0-9]:", word) == 1)
			for (unsigned i = 0; i < ATTEST_BANKS; i++)
				if (strcmp(word, attest_bank_name((enum attest_bank)i)) == 0)
					bank = &oracle->banks[i];
	}
	fclose(file);
}

/* The length of the first tells the bank. */
static void
load_lines(const char *name, struct oracle *oracle)
{
	char path[CORPORA_PATH_SIZE];
	char hex[132];

	corpora_path(name, path);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	for (unsigned long pcr = 0; pcr < ATTEST_PCRS; pcr++) {
		assert_int_equal(fscanf(file, "%131[0-9a-f]%*[\r\n]", hex), 1);
		set_value(&oracle->banks[strlen(hex) == 40 ? ATTEST_SHA1 : ATTEST_SHA256], pcr,
			  hex);
	}
	fclose(file);
}

void
oracle_load(const char *name, const char *key, struct oracle *ret_oracle)
{
	*ret_oracle = (struct oracle){0};
	for (unsigned i = 0; i < ATTEST_BANKS; i++)
		ret_oracle->banks[i].bank = (enum attest_bank)i;
	if (key != NULL)
		load_json(name, key, ret_oracle);
	else if (strstr(name, ".yaml") != NULL)
		load_yaml(name, ret_oracle);
	else
		load_lines(name, ret_oracle);
}

void
oracle_of_log(struct bytes log, struct oracle *ret_oracle)
{
	struct attest_error err;
	uint32_t banks;

	assert_int_equal(attest_eventlog_replay(log, ret_oracle->banks, &banks, &err), ATTEST_OK);
}
