/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the seeds of the verifier's fuzz targets into corpus/: make_attest_seeds CORPUS-FOLDER.
 * New keys each time. */
#include "attest/claims.h"
#include "tests/unit/attest/software_ca.h"
#include "tests/unit/attest/software_signer.h"
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

/* For the event log's target: 0, then a log as it is. */
/* A quote by a key of that kind: for the decoders alone, and all of it together. */
static void
save_inspected(const char *name, struct software_signer *signer, bool pem)
{
	static const struct attest_pcrs pcrs = {.bank = ATTEST_SHA256, .known = 0xffffff};
	static const uint8_t question[] = {7};
	uint8_t memory[4096];
	char text[2048];
	struct writer w = writer_of(memory, sizeof(memory));
	struct software_quote quote;

	software_signer_open(signer);
	software_signer_fill(signer, &pcrs, 0xff, BYTES_OF(question), &quote);
	software_signer_sign(signer, &quote);
	software_signer_pem(signer, text, sizeof(text));
	struct bytes key = pem ? (struct bytes){(const uint8_t *)text, strlen(text)}
			       : (struct bytes){signer->public_area, signer->public_size};
	struct bytes message = {quote.message, quote.message_size};
	struct bytes signature = {quote.signature, quote.signature_size};
	write_bytes_be16(&w, key);
	write_bytes_be16(&w, message);
	write_bytes_be16(&w, signature);
	write_u8(&w, ATTEST_SHA256 | 4 | 8);
	for (unsigned pcr = 0; pcr < 8; pcr++)
		write_bytes(&w, (struct bytes){pcrs.values[pcr], ATTEST_HASH_SIZE});
	assert(!w.failed);
	save("inspect", name, writer_bytes(&w));
	save("attestation", name, message);
	save("signature", name, signature);
	save("public", name, key);
	software_signer_close(signer);
}

static void
save_all_inspected(void)
{
	struct software_signer ecc = {
		.type = SOFTWARE_ECC, .bits = 256, .scheme = 0x0018, .hash = 0x000b};
	struct software_signer wide = {
		.type = SOFTWARE_ECC, .bits = 384, .scheme = 0x0018, .hash = 0x000c};
	struct software_signer rsa = {
		.type = SOFTWARE_RSA, .bits = 2048, .scheme = 0x0014, .hash = 0x000b};
	struct software_signer pss = {
		.type = SOFTWARE_RSA, .bits = 2048, .scheme = 0x0016, .hash = 0x000c, .salt = 48};
	struct software_signer bare = {
		.type = SOFTWARE_ECC, .bits = 256, .scheme = 0x0018, .hash = 0x000b};

	save_inspected("ecc-p256", &ecc, false);
	save_inspected("ecc-p384", &wide, false);
	save_inspected("rsassa", &rsa, false);
	save_inspected("rsapss", &pss, false);
	save_inspected("pem", &bare, true);
}

static void
save_rsa_ak(void)
{
	struct software_signer signer = {.type = SOFTWARE_RSA,
					 .bits = 2048,
					 .scheme = 0x0014,
					 .hash = 0x000b,
					 .postern = true};

	software_signer_open(&signer);
	save("ak", "rsa", (struct bytes){signer.public_area, signer.public_size});
	software_signer_close(&signer);
}

/* A TPMS_CERTIFY_INFO, and the body of an attestation that nobody looks at. */
static void
save_attestations(const struct software_tpm *tpm)
{
	static const uint8_t names[] = {0, 4, 0x40, 0, 0, 1};
	uint8_t qualifying[ATTEST_HASH_SIZE] = {7};
	struct software_quote quote;

	software_quote_fill(tpm, qualifying, &quote);
	quote.type = 0x8017;
	memcpy(quote.selection, names, sizeof(names));
	quote.selection_size = sizeof(names);
	software_quote_encode(&quote);
	save("attestation", "certify", (struct bytes){quote.message, quote.message_size});
	quote.type = 0x801a;
	software_quote_encode(&quote);
	save("attestation", "creation", (struct bytes){quote.message, quote.message_size});
}

static void
save_credentials(void)
{
	static const uint8_t name[34] = {0x00, 0x0b, 1}, secret[32] = {2};
	uint8_t memory[256];

	for (uint8_t template = 0; template <2; template ++) {
		struct writer w = writer_of(memory, sizeof(memory));
		write_u8(&w, template);
		write_bytes_be16(&w, BYTES_OF(name));
		write_bytes_be16(&w, BYTES_OF(secret));
		save("credential", template == 0 ? "sha256" : "sha384", writer_bytes(&w));
	}
}

static void
save_log(const char *name, uint32_t events, bool secure_boot, size_t padding)
{
	static uint8_t memory[16384];
	struct writer w = writer_of(memory, sizeof(memory));
	struct software_log log;

	software_log_boot(&log, events, secure_boot);
	write_u8(&w, 0);
	write_bytes(&w, (struct bytes){log.data, log.size});
	for (size_t i = 0; i < padding; i++)
		write_u8(&w, 0xff);
	assert(!w.failed);
	save("eventlog", name, writer_bytes(&w));
	software_log_free(&log);
}

/* The same's other form: events whose digests the target computes. Types are of its table. */
enum { CONFIG = 0, SEPARATOR, AUTHORITY, EFI_ACTION, IPL, TAG = 6, CRTM = 8 };

static void
put_event(struct writer *w, uint8_t pcr, uint8_t type, uint8_t cut, struct bytes data)
{
	write_u8(w, pcr);
	write_u8(w, type);
	write_u8(w, cut);
	write_u8(w, (uint8_t)data.size);
	write_u8(w, (uint8_t)(data.size >> 8));
	write_bytes(w, data);
}

static void
put_text(struct writer *w, uint8_t pcr, uint8_t type, uint8_t cut, const char *text, size_t more)
{
	put_event(w, pcr, type, cut, (struct bytes){(const uint8_t *)text, strlen(text) + more});
}

/* `guid`: 0 global, 1 of db, 2 shim's. */
static void
put_variable(struct writer *w, uint8_t type, unsigned guid, const char *name, struct bytes value,
	     size_t more)
{
	static const uint8_t guids[3][16] = {{0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa,
					      0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c},
					     {0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45, 0xa3,
					      0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f},
					     {0x50, 0xab, 0x5d, 0x60, 0x46, 0xe0, 0x00, 0x43, 0xab,
					      0xb6, 0x3d, 0xd8, 0x10, 0xdd, 0x8b, 0x23}};
	uint8_t memory[512];
	struct writer data = writer_of(memory, sizeof(memory));

	write_bytes(&data, BYTES_OF(guids[guid]));
	write_u8(&data, (uint8_t)strlen(name));
	for (unsigned i = 1; i < 8; i++)
		write_u8(&data, 0);
	write_u8(&data, (uint8_t)value.size);
	write_u8(&data, (uint8_t)(value.size >> 8));
	for (unsigned i = 2; i < 8; i++)
		write_u8(&data, 0);
	for (const char *c = name; *c != '\0'; c++) {
		write_u8(&data, (uint8_t)*c);
		write_u8(&data, 0);
	}
	write_bytes(&data, value);
	for (size_t i = 0; i < more; i++)
		write_u8(&data, 0xaf);
	assert(!data.failed);
	put_event(w, 7, type, more > 0, writer_bytes(&data));
}

static void
put_secure_boot(struct writer *w)
{
	static const uint8_t on = 1;
	static const uint8_t zero[4];
	static const uint8_t certificate[132] = {0x30, 0x81, 129};
	uint8_t owned[16 + sizeof(certificate)] = {7};
	/* Two hashes in one list. */
	uint8_t dbx[28 + 2 * 48] = {0x26, 0x16, 0xc4, 0xc1, 0x4c, 0x50, 0x92, 0x40, 0xac,
				    0xa9, 0x41, 0xf9, 0x36, 0x93, 0x43, 0x28, 124,  0,
				    0,	  0,	0,    0,    0,	  0,	48};

	memcpy(owned + 16, certificate, sizeof(certificate));
	put_text(w, 7, EFI_ACTION, 0, "DMA Protection Disabled", 0);
	put_variable(w, CONFIG, 0, "SecureBoot", (struct bytes){&on, 1}, 0);
	put_variable(w, CONFIG, 0, "PK", BYTES_OF(owned), 0);
	put_variable(w, CONFIG, 0, "KEK", BYTES_OF(owned), 0);
	put_variable(w, CONFIG, 1, "db", BYTES_OF(owned), 0);
	put_variable(w, CONFIG, 1, "dbx", BYTES_OF(dbx), 0);
	put_variable(w, CONFIG, 0, "AuditMode", (struct bytes){zero, 1}, 0);
	put_variable(w, CONFIG, 0, "DeployedMode", (struct bytes){&on, 1}, 0);
	put_event(w, 7, SEPARATOR, 0, BYTES_OF(zero));
	put_variable(w, AUTHORITY, 1, "db", BYTES_OF(owned), 0);
	put_variable(w, AUTHORITY, 2, "SbatLevel",
		     (struct bytes){(const uint8_t *)"sbat,1,2021030218\nshim,2\n", 25}, 0);
	put_variable(w, AUTHORITY, 2, "Shim", BYTES_OF(certificate), 1);
}

static void
save_events(void)
{
	static const uint8_t zero[4];
	static const uint8_t boot_counter[] = {2, 0, 2, 0, 8, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0};
	static uint8_t memory[4096];
	struct writer w = writer_of(memory, sizeof(memory));

	write_u8(&w, 1);
	put_secure_boot(&w);
	save("eventlog", "secure-boot-events", writer_bytes(&w));
	put_text(&w, 0, CRTM, 0, "1\0.\0", 4);
	put_event(&w, 4, SEPARATOR, 0, BYTES_OF(zero));
	put_text(&w, 8, IPL, 10, "grub_cmd: linux /vmlinuz", 0);
	put_text(&w, 8, IPL, 16, "kernel_cmdline: /vmlinuz quiet", 0);
	put_text(&w, 11, IPL, 0, ".linux", 1);
	put_text(&w, 11, IPL, 0, "contents", 0);
	put_text(&w, 12, IPL, 0, "q\0\0", 1);
	put_text(&w, 14, IPL, 0, "MokList", 0);
	save("eventlog", "linux-events", writer_bytes(&w));
	w = writer_of(memory, sizeof(memory));
	write_u8(&w, 1);
	for (uint8_t pcr = 12; pcr < 14; pcr++) {
		put_event(&w, pcr, TAG, 0, BYTES_OF(boot_counter));
		put_text(&w, pcr, SEPARATOR, 0, "WBCL", 0);
	}
	assert(!w.failed);
	save("eventlog", "windows-events", writer_bytes(&w));
}

/* A claim of each kind, and a list of several values and of none. */
static void
save_claims(void)
{
	static const uint8_t digest[64] = {0xd1, 0x6e, 0x57};
	static const uint8_t line[] = {'/', 'v', ' ', 0xc3, 0xa4, ' ', 0xf0, 0x9f, 0x98, 0x80};
	const struct bytes digests[] = {{digest, 32}, {digest, 48}, {digest, 64}};
	struct attest_claims claims = {0};

	bool made = attest_claim_boolean(&claims, CLAIM_SECURE_BOOT, true) &&
		    attest_claim_values(&claims, CLAIM_BOOT_IMAGES, digests, 3) &&
		    attest_claim_values(&claims, CLAIM_GRUB_COMMAND_LINES,
					&(struct bytes){line, sizeof(line)}, 1) &&
		    attest_claim_values(&claims, CLAIM_STUB_COMMAND_LINES, NULL, 0) &&
		    attest_claim_number(&claims, CLAIM_WINDOWS_BOOT_COUNTER, 4);
	assert(made);
	save("claims", "each-kind", (struct bytes){claims.encoded, claims.size});
	save("claims", "none", (struct bytes){claims.encoded, 0});
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
			save_attestations(&tpm);
		}
		software_tpm_close(&tpm);
	}
	save_claims();
	save_rsa_ak();
	save_all_inspected();
	save_credentials();
	save_log("secure-boot-on", 18, true, 0);
	save_log("secure-boot-off", 16, false, 9);
	save_events();
	return EXIT_SUCCESS;
}
