/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the seeds of the verifier's fuzz targets into corpus/: make_attest_seeds CORPUS-FOLDER.
 * New keys each time. */
#include "tests/unit/attest/software_ca.h"
#include "tests/unit/attest/software_tpm.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *folder;

static void
save(const char *target, const char *name, struct bytes seed)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, target);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/%s/%s", folder, target, name);
	FILE *file = fopen(path, "wb");
	assert(file != NULL && fwrite(seed.data, 1, seed.size, file) == seed.size);
	assert(fclose(file) == 0);
}

static void
save_quote(const struct software_tpm *tpm, const char *name, uint32_t magic, bool certify)
{
	uint8_t memory[2048];
	struct writer w = writer_of(memory, sizeof(memory));
	struct software_quote quote;
	uint8_t qualifying[ATTEST_HASH_SIZE] = {7};

	software_quote_fill(tpm, qualifying, &quote);
	quote.magic = magic;
	quote.type = certify ? 0x8017 : quote.type;
	software_quote_sign(tpm, &quote);
	write_bytes_be16(&w, (struct bytes){tpm->ak_public, tpm->ak_public_size});
	write_bytes(&w, BYTES_OF(qualifying));
	write_bytes_be16(&w, (struct bytes){quote.message, quote.message_size});
	write_bytes_be16(&w, (struct bytes){quote.signature, quote.signature_size});
	write_bytes(&w, software_tpm_pcrs(tpm));
	assert(!w.failed);
	save("quote", name, writer_bytes(&w));
}

static void
save_log(const char *name, uint32_t events, bool secure_boot)
{
	static uint8_t memory[16384];
	struct writer w = writer_of(memory, sizeof(memory));
	struct software_log log;

	software_log_boot(&log, events, secure_boot);
	software_pcr_extend_text(log.pcrs[11], "enter-initrd");
	write_bytes(&w, (struct bytes){log.pcrs[0], sizeof(log.pcrs)});
	write_bytes(&w, (struct bytes){log.data, log.size});
	assert(!w.failed);
	save("eventlog", name, writer_bytes(&w));
	software_log_free(&log);
}

static void
save_certificates(const struct software_tpm *tpm, const char *name, bool helper)
{
	uint8_t memory[16384];
	struct writer w = writer_of(memory, sizeof(memory));

	write_bytes_be16(&w, (struct bytes){tpm->ek_certificate, tpm->ek_certificate_size});
	for (unsigned i = 0; i < 1U + helper; i++)
		write_bytes_be16(&w, (struct bytes){tpm->ca_certificate, tpm->ca_certificate_size});
	assert(!w.failed);
	save("certificate", name, writer_bytes(&w));
}

int
main(int count, char **arguments)
{
	static const char *const names[] = {"rsa-2048", "ecc-p256", "ecc-p384"};

	assert(count == 2);
	folder = arguments[1];
	for (unsigned kind = 0; kind < 3; kind++) {
		struct software_tpm tpm;

		software_tpm_open(&tpm, (enum software_ek)kind);
		save("ek", names[kind], (struct bytes){tpm.ek_public, tpm.ek_public_size});
		save_certificates(&tpm, names[kind], kind == 2);
		if (kind == 0) {
			save("ak", "good", (struct bytes){tpm.ak_public, tpm.ak_public_size});
			save_quote(&tpm, "good", 0xff544347, false);
			save_quote(&tpm, "magic", 1, false);
			save_quote(&tpm, "certify", 0xff544347, true);
		}
		software_tpm_close(&tpm);
	}
	save_log("secure-boot-on", 18, true);
	save_log("secure-boot-off", 16, false);
	return EXIT_SUCCESS;
}
