/* SPDX-License-Identifier: Apache-2.0 */
/* The attester against a real software TPM; the oracle is OpenSSL, and the TPM's own
 * TPM2_MakeCredential. */
#include "attest/attester/internal.h"
#include "private_tpm.h"
#include "spoiled_tcti.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_tctildr.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NV_RSA	     0x01C00002u
#define NV_P256	     0x01C0000Au
#define NV_P384	     0x01C00016u
#define NV_CHAIN     0x01C00100u

/* TPM 2.0 Library Part 2, 7.2; tss2's own macros for these shift into the sign bit. */
#define LOADED_SESSION_FIRST 0x02000000u
#define SAVED_SESSION_FIRST  0x03000000u
#define TRANSIENT_FIRST	     0x80000000u

static struct private_tpm tpm;

static struct attester *
open_tpm(void)
{
	struct attester *attester = NULL;
	struct attester_error err;

	if (!private_tpm_possible())
		skip();
	if (tpm.folder[0] == '\0')
		assert_true(private_tpm_start(&tpm, "sha256"));
	if (attester_open(tpm.tcti, &attester, &err) != ATTESTER_OK)
		fail_msg("%s", err.message);
	return attester;
}

static UINT32
handles_left(struct attester *attester, TPM2_HANDLE first)
{
	auto_esys TPMS_CAPABILITY_DATA *answer = NULL;
	TPMI_YES_NO more;

	assert_int_equal(Esys_GetCapability(attester->esys, ESYS_TR_NONE, ESYS_TR_NONE,
					    ESYS_TR_NONE, TPM2_CAP_HANDLES, first, 32, &more,
					    &answer),
			 TSS2_RC_SUCCESS);
	return answer->data.handles.count;
}

static void
assert_nothing_left(struct attester *attester)
{
	assert_int_equal(handles_left(attester, TRANSIENT_FIRST), 0);
	assert_int_equal(handles_left(attester, LOADED_SESSION_FIRST), 0);
	assert_int_equal(handles_left(attester, SAVED_SESSION_FIRST), 0);
}

static void
close_tpm(struct attester *attester)
{
	assert_nothing_left(attester);
	attester_close(attester);
}

/* ---- opening ---- */

static void
open_says_why_not(void **state)
{
	static const struct {
		const char *tcti, *want;
	} rows[] = {
		{"device:/dev/no-such-tpm", "has this machine a TPM"},
		{"device:/dev/null/tpm", "has this machine a TPM"},
		{"device:/", "another program"},
		{"swtpm:path=/tmp/no-such-folder/tpm", "is it running"},
		{"no-such-tcti:", "installed"},
		{"", "is it running"},
		{"swtpm:nonsense=1", "is it running"},
	};
	(void)state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct attester *attester = NULL;
		struct attester_error err = {0};

		assert_int_equal(attester_open(rows[i].tcti, &attester, &err),
				 ATTESTER_UNAVAILABLE);
		assert_null(attester);
		assert_int_equal(err.status, ATTESTER_UNAVAILABLE);
		if (strstr(err.message, rows[i].want) == NULL)
			fail_msg("\"%s\": %s", rows[i].tcti, err.message);
	}
}

/* The commonest one: the device is there, and the user is not in its group. */
static void
open_names_a_missing_permission(void **state)
{
	char device[] = "/tmp/postern-device-XXXXXX";
	char tcti[64];
	struct attester *attester = NULL;
	struct attester_error err = {0};
	const uid_t user = geteuid();
	int fd = mkstemp(device);
	(void)state;

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, 0), 0);
	close(fd);
	snprintf(tcti, sizeof(tcti), "device:%s", device);
	if (user == 0)
		assert_int_equal(seteuid(65534), 0);
	enum attester_status status = attester_open(tcti, &attester, &err);
	assert_int_equal(seteuid(user), 0);
	unlink(device);
	assert_int_equal(status, ATTESTER_UNAVAILABLE);
	assert_non_null(strstr(err.message, "group tss"));
}

static void
open_leaves_the_user_his_log_level(void **state)
{
	(void)state;
	assert_string_equal(getenv("TSS2_LOG"), "all+NONE");
	assert_int_equal(setenv("TSS2_LOG", "all+ERROR", 1), 0);
	attester_close(open_tpm());
	assert_string_equal(getenv("TSS2_LOG"), "all+ERROR");
	assert_int_equal(setenv("TSS2_LOG", "all+NONE", 1), 0);
}

/* ---- what a TPM answers, as a status ---- */

static void
answers_become_statuses(void **state)
{
	static const struct {
		const char *name;
		TSS2_RC rc;
		enum attester_status want;
		const char *word;
	} rows[] = {
		{"lockout", TPM2_RC_LOCKOUT, ATTESTER_UNAVAILABLE, "locked out"},
		{"not started", TPM2_RC_INITIALIZE, ATTESTER_UNAVAILABLE, "tpm2_startup"},
		{"no room", TPM2_RC_OBJECT_MEMORY, ATTESTER_UNAVAILABLE, "tpmrm0"},
		{"no room, from the kernel's resource manager",
		 TSS2_RESMGR_TPM_RC_LAYER | TPM2_RC_OBJECT_MEMORY, ATTESTER_UNAVAILABLE, "tpmrm0"},
		{"busy", TPM2_RC_RETRY, ATTESTER_UNAVAILABLE, "busy"},
		{"wrong password, session 1", TPM2_RC_BAD_AUTH | TPM2_RC_S | TPM2_RC_1,
		 ATTESTER_REFUSED, "empty"},
		{"wrong auth, session 2", TPM2_RC_AUTH_FAIL | TPM2_RC_S | TPM2_RC_2,
		 ATTESTER_REFUSED, "empty"},
		{"hierarchy off, handle 1", TPM2_RC_HIERARCHY | TPM2_RC_1, ATTESTER_REFUSED,
		 "disabled"},
		{"credential spoiled, parameter 1", TPM2_RC_INTEGRITY | TPM2_RC_P | TPM2_RC_1,
		 ATTESTER_REFUSED, "not made for"},
		{"curve, parameter 2", TPM2_RC_CURVE | TPM2_RC_P | TPM2_RC_2, ATTESTER_UNSUPPORTED,
		 "curve"},
		{"anything else of the TPM", TPM2_RC_POLICY_FAIL | TPM2_RC_S | TPM2_RC_1,
		 ATTESTER_REFUSED, "0x99d"},
		{"line cut", TSS2_TCTI_RC_IO_ERROR, ATTESTER_UNAVAILABLE, "does not answer"},
		{"answer garbled", TSS2_ESYS_RC_MALFORMED_RESPONSE, ATTESTER_UNAVAILABLE,
		 "does not answer"},
		{"no memory", TSS2_ESYS_RC_MEMORY, ATTESTER_MEMORY, "memory"},
	};
	(void)state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct attester_error err;

		if (attester_fail_tss(&err, rows[i].rc, "x") != rows[i].want ||
		    err.status != rows[i].want || strstr(err.message, rows[i].word) == NULL)
			fail_msg("%s: %d, %s", rows[i].name, err.status, err.message);
	}
}

/* ---- keys ---- */

/* What stands before `unique`, byte for byte; PARAMETERS of the EK Credential Profile and of the
 * AK. */
static const struct {
	enum attester_ek_kind kind;
	const char *prefix;
	size_t size;
} ek_rows[] = {
	{ATTESTER_EK_RSA_2048,
	 "0001000b000300b20020837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa"
	 "0006008000430010080000000000",
	 314},
	{ATTESTER_EK_P256,
	 "0023000b000300b20020837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa"
	 "000600800043001000030010",
	 122},
	{ATTESTER_EK_P384,
	 "0023000c000300f20030b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419cacb"
	 "47ba09699646150f9fc000f3f80e12000601000043001000040010",
	 170},
};
static const char ak_prefix[] =
	"0023000b000504720020e140a9b752af8d348ff84171c3a5dfeee4a441dc8082c2ca33965cf58643b2ec"
	"00100018000b00030010";

static void
assert_hex_prefix(const uint8_t *bytes, size_t size, const char *hex)
{
	char seen[2 * ATTEST_PUBLIC_SIZE_MAX + 1];

	assert_in_range(size, strlen(hex) / 2, ATTEST_PUBLIC_SIZE_MAX);
	for (size_t i = 0; i < size; i++)
		snprintf(seen + 2 * i, 3, "%02x", bytes[i]);
	seen[strlen(hex)] = '\0';
	assert_string_equal(seen, hex);
}

/* The certified key's SubjectPublicKeyInfo holds what `unique` holds: modulus, or x and y. */
static void
assert_certifies(const struct attester_ek *ek)
{
	const uint8_t *der = ek->certificates[0].der;
	TPMT_PUBLIC public = {0};
	unsigned char *key = NULL;
	size_t offset = 0;
	X509 *certificate = d2i_X509(NULL, &der, (long)ek->certificates[0].size);

	assert_non_null(certificate);
	assert_int_equal(
		Tss2_MU_TPMT_PUBLIC_Unmarshal(ek->public_area, ek->public_size, &offset, &public),
		TSS2_RC_SUCCESS);
	assert_int_equal(offset, ek->public_size);
	int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &key);
	assert_true(size > 0);
	if (public.type == TPM2_ALG_RSA) {
		assert_non_null(memmem(key, (size_t)size, public.unique.rsa.buffer, 256));
	} else {
		assert_non_null(memmem(key, (size_t)size, public.unique.ecc.x.buffer,
				       public.unique.ecc.x.size));
		assert_non_null(memmem(key, (size_t)size, public.unique.ecc.y.buffer,
				       public.unique.ecc.y.size));
	}
	OPENSSL_free(key);
	X509_free(certificate);
}

static void
ek_is_the_template(void **state)
{
	struct attester *attester = open_tpm();
	(void)state;

	for (size_t i = 0; i < COUNT(ek_rows); i++) {
		struct attester_error err;
		struct attester_ek ek;

		if (attester_ek(attester, ek_rows[i].kind, &ek, &err) != ATTESTER_OK)
			fail_msg("%zu: %s", i, err.message);
		assert_int_equal(ek.public_size, ek_rows[i].size);
		assert_hex_prefix(ek.public_area, ek.public_size, ek_rows[i].prefix);
		/* swtpm has no certificate for P-256. */
		assert_int_equal(ek.certificate_count, ek_rows[i].kind == ATTESTER_EK_P256 ? 0 : 1);
		if (ek.certificate_count > 0)
			assert_certifies(&ek);
	}
	close_tpm(attester);
}

static void
ak_is_the_template_and_stays(void **state)
{
	struct attester_ak first, second;
	struct attester_error err;
	(void)state;

	struct attester *attester = open_tpm();
	assert_int_equal(attester_ak(attester, &first, &err), ATTESTER_OK);
	close_tpm(attester);
	attester = open_tpm();
	assert_int_equal(attester_ak(attester, &second, &err), ATTESTER_OK);
	close_tpm(attester);
	assert_int_equal(first.public_size, strlen(ak_prefix) / 2 + 2 * (2 + 32));
	assert_hex_prefix(first.public_area, first.public_size, ak_prefix);
	assert_int_equal(first.public_size, second.public_size);
	assert_memory_equal(first.public_area, second.public_area, first.public_size);
}

/* ---- certificates in NV ---- */

static void
define_nv(struct attester *attester, TPM2_HANDLE index, TPMA_NV attributes, const uint8_t *bytes,
	  size_t size)
{
	const TPM2B_AUTH no_auth = {.size = 0};
	const TPM2B_NV_PUBLIC public = {.nvPublic = {.nvIndex = index,
						     .nameAlg = TPM2_ALG_SHA256,
						     .attributes = attributes | TPMA_NV_OWNERWRITE,
						     .dataSize = (UINT16)size}};
	ESYS_TR handle;

	assert_int_equal(Esys_NV_DefineSpace(attester->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD,
					     ESYS_TR_NONE, ESYS_TR_NONE, &no_auth, &public,
					     &handle),
			 TSS2_RC_SUCCESS);
	for (size_t done = 0; bytes != NULL && done < size;) {
		TPM2B_MAX_NV_BUFFER part = {
			.size = (UINT16)(size - done < 512 ? size - done : 512)};

		memcpy(part.buffer, bytes + done, part.size);
		assert_int_equal(Esys_NV_Write(attester->esys, ESYS_TR_RH_OWNER, handle,
					       ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &part,
					       (UINT16)done),
				 TSS2_RC_SUCCESS);
		done += part.size;
	}
	Esys_TR_Close(attester->esys, &handle);
}

static void
undefine_nv(struct attester *attester, TPM2_HANDLE index, ESYS_TR hierarchy)
{
	ESYS_TR handle;

	assert_int_equal(Esys_TR_FromTPMPublic(attester->esys, index, ESYS_TR_NONE, ESYS_TR_NONE,
					       ESYS_TR_NONE, &handle),
			 TSS2_RC_SUCCESS);
	assert_int_equal(Esys_NV_UndefineSpace(attester->esys, hierarchy, handle, ESYS_TR_PASSWORD,
					       ESYS_TR_NONE, ESYS_TR_NONE),
			 TSS2_RC_SUCCESS);
}

static struct attester_ek
any_ek(struct attester *attester)
{
	struct attester_error err;
	struct attester_ek ek;

	if (attester_ek(attester, ATTESTER_EK_ANY, &ek, &err) != ATTESTER_OK)
		fail_msg("%s", err.message);
	return ek;
}

/* The chain lies over two indices, split inside a certificate, and padded. */
static void
chain_is_read_across_indices(void **state)
{
	struct attester *attester = open_tpm();
	struct attester_ek bare = any_ek(attester);
	uint8_t chain[4 * ATTEST_CERTIFICATE_MAX];
	size_t one = bare.certificates[0].size;
	size_t size = 0;
	(void)state;

	for (int i = 0; i < 2; i++, size += one)
		memcpy(chain + size, bare.certificates[0].der, one);
	memset(chain + size, 0xff, 40);
	size += 40;
	define_nv(attester, NV_CHAIN, TPMA_NV_AUTHREAD, chain, one + 100);
	define_nv(attester, NV_CHAIN + 1, TPMA_NV_OWNERREAD, chain + one + 100, size - one - 100);
	struct attester_ek chained = any_ek(attester);
	undefine_nv(attester, NV_CHAIN, ESYS_TR_RH_OWNER);
	undefine_nv(attester, NV_CHAIN + 1, ESYS_TR_RH_OWNER);
	assert_int_equal(bare.certificate_count, 1);
	assert_int_equal(chained.certificate_count, 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(chained.certificates[i].size, one);
		assert_memory_equal(chained.certificates[i].der, bare.certificates[0].der, one);
	}
	close_tpm(attester);
}

static void
spoiled_chain_is_no_chain(void **state)
{
	static const struct {
		const char *name;
		uint8_t bytes[8];
		size_t size;
	} rows[] = {
		{"padding alone", {0xff, 0xff, 0xff, 0xff}, 4},
		{"one byte", {0x30}, 1},
		{"length cut", {0x30, 0x82, 0x01}, 3},
		{"content cut", {0x30, 0x03, 0x01, 0x01}, 4},
		{"longest length", {0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00}, 8},
		{"indefinite length", {0x30, 0x80, 0x00, 0x00}, 4},
		{"not a sequence", {0x04, 0x02, 0x00, 0x00}, 4},
	};
	struct attester *attester = open_tpm();
	(void)state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		define_nv(attester, NV_CHAIN, TPMA_NV_AUTHREAD, rows[i].bytes, rows[i].size);
		struct attester_ek ek = any_ek(attester);
		undefine_nv(attester, NV_CHAIN, ESYS_TR_RH_OWNER);
		if (ek.certificate_count != 1)
			fail_msg("%s: %u", rows[i].name, ek.certificate_count);
	}
	close_tpm(attester);
}

/* ANY follows the certificates: RSA-2048, P-384, P-256, and without any RSA-2048 again. Undoes the
 * TPM's NV. */
static void
any_is_what_a_certificate_speaks_for(void **state)
{
	static const uint8_t certificate[] = {0x30, 0x00};
	struct attester *attester = open_tpm();
	(void)state;

	(void)any_ek(attester);
	assert_int_equal(attester->ek, ATTESTER_EK_RSA_2048);
	undefine_nv(attester, NV_RSA, ESYS_TR_RH_PLATFORM);
	(void)any_ek(attester);
	assert_int_equal(attester->ek, ATTESTER_EK_P384);
	undefine_nv(attester, NV_P384, ESYS_TR_RH_PLATFORM);
	define_nv(attester, NV_P256, TPMA_NV_AUTHREAD, certificate, sizeof(certificate));
	struct attester_ek ek = any_ek(attester);
	assert_int_equal(attester->ek, ATTESTER_EK_P256);
	assert_int_equal(ek.certificate_count, 1);
	assert_int_equal(ek.certificates[0].size, sizeof(certificate));
	undefine_nv(attester, NV_P256, ESYS_TR_RH_OWNER);
	/* Defined and never written is as good as absent. */
	define_nv(attester, NV_P256, TPMA_NV_AUTHREAD, NULL, 100);
	ek = any_ek(attester);
	assert_int_equal(attester->ek, ATTESTER_EK_RSA_2048);
	assert_int_equal(ek.certificate_count, 0);
	undefine_nv(attester, NV_P256, ESYS_TR_RH_OWNER);
	close_tpm(attester);
}

/* ---- activation ---- */

/* The TPM's own TPM2_MakeCredential for the EK and AK that the attester describes. */
static struct attest_credential
make_credential(struct attester *attester, const struct attester_ek *ek, const uint8_t secret[32])
{
	struct attest_credential credential = {0};
	auto_handle struct attester_handle ak = handle_of(attester);
	auto_handle struct attester_handle loaded = handle_of(attester);
	auto_esys TPM2B_NAME *name = NULL;
	auto_esys TPM2B_ID_OBJECT *blob = NULL;
	auto_esys TPM2B_ENCRYPTED_SECRET *seed = NULL;
	TPM2B_PUBLIC public = {0};
	TPM2B_DIGEST value = {.size = 32};
	struct attester_error err;
	size_t offset = 0;

	memcpy(value.buffer, secret, 32);
	assert_int_equal(Tss2_MU_TPMT_PUBLIC_Unmarshal(ek->public_area, ek->public_size, &offset,
						       &public.publicArea),
			 TSS2_RC_SUCCESS);
	assert_int_equal(attester_make_ak(attester, &ak, &err), ATTESTER_OK);
	assert_int_equal(Esys_TR_GetName(attester->esys, ak.id, &name), TSS2_RC_SUCCESS);
	assert_int_equal(Esys_LoadExternal(attester->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
					   NULL, &public, ESYS_TR_RH_ENDORSEMENT, &loaded.id),
			 TSS2_RC_SUCCESS);
	assert_int_equal(Esys_MakeCredential(attester->esys, loaded.id, ESYS_TR_NONE, ESYS_TR_NONE,
					     ESYS_TR_NONE, &value, name, &blob, &seed),
			 TSS2_RC_SUCCESS);
	credential.blob_size = blob->size;
	memcpy(credential.blob, blob->credential, blob->size);
	credential.secret_size = seed->size;
	memcpy(credential.secret, seed->secret, seed->size);
	return credential;
}

static const uint8_t some_secret[32] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static void
activation_opens_what_was_made_for_it(void **state)
{
	struct attester *attester = open_tpm();
	(void)state;

	for (size_t i = 0; i < COUNT(ek_rows); i++) {
		struct attester_error err;
		struct attester_ek ek;
		uint8_t secret[64] = {0};
		size_t size = 0;

		assert_int_equal(attester_ek(attester, ek_rows[i].kind, &ek, &err), ATTESTER_OK);
		struct attest_credential credential = make_credential(attester, &ek, some_secret);
		if (attester_activate(attester, &credential, secret, &size, &err) != ATTESTER_OK)
			fail_msg("%zu: %s", i, err.message);
		assert_int_equal(size, sizeof(some_secret));
		assert_memory_equal(secret, some_secret, sizeof(some_secret));
		assert_nothing_left(attester);
	}
	close_tpm(attester);
}

static void
assert_refused(struct attester *attester, const struct attest_credential *credential,
	       const char *name, size_t position)
{
	struct attester_error err = {0};
	uint8_t secret[64];
	uint8_t untouched[64];
	size_t size = 4711;

	memset(secret, 0xa5, sizeof(secret));
	memset(untouched, 0xa5, sizeof(untouched));
	enum attester_status status = attester_activate(attester, credential, secret, &size, &err);
	if (status != ATTESTER_REFUSED && status != ATTESTER_UNSUPPORTED)
		fail_msg("%s %zu: %d, %s", name, position, status, err.message);
	assert_int_equal(size, 4711);
	assert_memory_equal(secret, untouched, sizeof(secret));
}

static void
spoiled_credential_is_refused(void **state)
{
	struct attester *attester = open_tpm();
	struct attester_error err;
	struct attester_ek ek;
	(void)state;

	assert_int_equal(attester_ek(attester, ATTESTER_EK_P384, &ek, &err), ATTESTER_OK);
	const struct attest_credential good = make_credential(attester, &ek, some_secret);
	for (size_t i = 0; i < good.blob_size; i++) {
		struct attest_credential bad = good;

		bad.blob[i] ^= (uint8_t)(1u << i % 8);
		assert_refused(attester, &bad, "bit of the blob", i);
		bad = good;
		bad.blob_size = i;
		assert_refused(attester, &bad, "blob cut", i);
	}
	for (size_t i = 0; i < good.secret_size; i++) {
		struct attest_credential bad = good;

		bad.secret[i] ^= (uint8_t)(1u << i % 8);
		assert_refused(attester, &bad, "bit of the secret", i);
		bad = good;
		bad.secret_size = i;
		assert_refused(attester, &bad, "secret cut", i);
	}
	struct attest_credential bad = good;
	bad.blob_size++;
	assert_refused(attester, &bad, "trailing byte, blob", 0);
	bad.blob_size = sizeof(bad.blob);
	assert_refused(attester, &bad, "more than a TPM takes, blob", 0);
	close_tpm(attester);
}

/* Made for the other EK of the same TPM, or before any EK was asked for. */
static void
credential_for_another_key_is_refused(void **state)
{
	struct attester *attester = open_tpm();
	struct attester_error err;
	struct attester_ek ek;
	(void)state;

	assert_int_equal(attester_ek(attester, ATTESTER_EK_P256, &ek, &err), ATTESTER_OK);
	struct attest_credential credential = make_credential(attester, &ek, some_secret);
	assert_int_equal(attester_ek(attester, ATTESTER_EK_P384, &ek, &err), ATTESTER_OK);
	assert_refused(attester, &credential, "another EK", 0);
	close_tpm(attester);
	attester = open_tpm();
	assert_refused(attester, &credential, "no EK yet", 0);
	close_tpm(attester);
}

/* ---- quotes ---- */

static const uint8_t nonce[ATTEST_HASH_SIZE] = {0xde, 0xad, 0xbe, 0xef};

static bool
signature_verifies(const struct attester_ak *ak, const struct attester_quote *quote)
{
	TPMT_PUBLIC public = {0};
	TPMT_SIGNATURE signature = {0};
	uint8_t point[65] = {4};
	uint8_t digest[32];
	size_t offset = 0;

	assert_int_equal(
		Tss2_MU_TPMT_PUBLIC_Unmarshal(ak->public_area, ak->public_size, &offset, &public),
		TSS2_RC_SUCCESS);
	offset = 0;
	assert_int_equal(Tss2_MU_TPMT_SIGNATURE_Unmarshal(quote->signature, quote->signature_size,
							  &offset, &signature),
			 TSS2_RC_SUCCESS);
	assert_int_equal(offset, quote->signature_size);
	assert_int_equal(signature.sigAlg, TPM2_ALG_ECDSA);
	assert_int_equal(signature.signature.ecdsa.hash, TPM2_ALG_SHA256);
	memcpy(point + 1, public.unique.ecc.x.buffer, 32);
	memcpy(point + 33, public.unique.ecc.y.buffer, 32);
	char group[] = "P-256";
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY *key = NULL;
	EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	assert_int_equal(EVP_PKEY_fromdata_init(maker), 1);
	assert_int_equal(EVP_PKEY_fromdata(maker, &key, EVP_PKEY_PUBLIC_KEY, parameters), 1);
	ECDSA_SIG *pair = ECDSA_SIG_new();
	const TPMS_SIGNATURE_ECDSA *ecdsa = &signature.signature.ecdsa;
	ECDSA_SIG_set0(pair, BN_bin2bn(ecdsa->signatureR.buffer, ecdsa->signatureR.size, NULL),
		       BN_bin2bn(ecdsa->signatureS.buffer, ecdsa->signatureS.size, NULL));
	unsigned char *der = NULL;
	int der_size = i2d_ECDSA_SIG(pair, &der);
	SHA256(quote->message, quote->message_size, digest);
	EVP_PKEY_CTX *verifier = EVP_PKEY_CTX_new(key, NULL);
	assert_int_equal(EVP_PKEY_verify_init(verifier), 1);
	int verdict = EVP_PKEY_verify(verifier, der, (size_t)der_size, digest, sizeof(digest));
	OPENSSL_free(der);
	ECDSA_SIG_free(pair);
	EVP_PKEY_CTX_free(verifier);
	EVP_PKEY_CTX_free(maker);
	EVP_PKEY_free(key);
	return verdict == 1;
}

static void
assert_quote_holds(struct attester *attester, const struct attester_quote *quote)
{
	struct attester_error err;
	struct attester_ak ak;
	TPMS_ATTEST attest = {0};
	uint8_t digest[32];
	size_t offset = 0;

	assert_int_equal(attester_ak(attester, &ak, &err), ATTESTER_OK);
	assert_true(signature_verifies(&ak, quote));
	assert_int_equal(Tss2_MU_TPMS_ATTEST_Unmarshal(quote->message, quote->message_size, &offset,
						       &attest),
			 TSS2_RC_SUCCESS);
	assert_int_equal(offset, quote->message_size);
	assert_int_equal(attest.extraData.size, sizeof(nonce));
	assert_memory_equal(attest.extraData.buffer, nonce, sizeof(nonce));
	SHA256(&quote->pcrs[0][0], sizeof(quote->pcrs), digest);
	assert_memory_equal(attest.attested.quote.pcrDigest.buffer, digest, sizeof(digest));
	struct attester_quote spoiled = *quote;
	spoiled.message[spoiled.message_size - 1] ^= 1;
	assert_false(signature_verifies(&ak, &spoiled));
}

static void
quote_covers_the_values_it_returns(void **state)
{
	static const uint8_t zeros[64] = {0};
	const TPML_DIGEST_VALUES values = {
		.count = 1,
		.digests = {{.hashAlg = TPM2_ALG_SHA256, .digest.sha256 = {7}}},
	};
	struct attester *attester = open_tpm();
	struct attester_quote before, after;
	struct attester_error err;
	uint8_t want[32];
	uint8_t old_and_digest[64] = {0};
	(void)state;

	assert_int_equal(attester_quote(attester, nonce, &before, &err), ATTESTER_OK);
	assert_quote_holds(attester, &before);
	for (ESYS_TR pcr = ESYS_TR_PCR0; pcr <= ESYS_TR_PCR15; pcr += 15)
		assert_int_equal(Esys_PCR_Extend(attester->esys, pcr, ESYS_TR_PASSWORD,
						 ESYS_TR_NONE, ESYS_TR_NONE, &values),
				 TSS2_RC_SUCCESS);
	assert_int_equal(attester_quote(attester, nonce, &after, &err), ATTESTER_OK);
	assert_quote_holds(attester, &after);
	for (size_t pcr = 0; pcr < ATTEST_PCR_COUNT; pcr++) {
		memcpy(old_and_digest, before.pcrs[pcr], 32);
		old_and_digest[32] = 7;
		SHA256(old_and_digest, sizeof(old_and_digest), want);
		assert_memory_equal(after.pcrs[pcr],
				    pcr == 0 || pcr == 15 ? want : before.pcrs[pcr], 32);
	}
	assert_memory_equal(before.pcrs[15], zeros, 32);
	close_tpm(attester);
}

static void
no_sha256_bank_is_unsupported(void **state)
{
	struct private_tpm other;
	struct attester *attester = NULL;
	struct attester_error err;
	struct attester_quote quote;
	(void)state;

	if (!private_tpm_possible())
		skip();
	assert_true(private_tpm_start(&other, "sha1"));
	assert_int_equal(attester_open(other.tcti, &attester, &err), ATTESTER_OK);
	assert_int_equal(attester_quote(attester, nonce, &quote, &err), ATTESTER_UNSUPPORTED);
	assert_non_null(strstr(err.message, "SHA-256"));
	close_tpm(attester);
	private_tpm_stop(&other);
}

/* ---- a TPM that says no, stalls, or goes away ---- */

static void
owned_endorsement_hierarchy_is_refused(void **state)
{
	const TPM2B_AUTH password = {.size = 1, .buffer = {'x'}};
	const TPM2B_AUTH none = {.size = 0};
	struct attester *attester = open_tpm();
	struct attester_error err = {0};
	struct attester_ek ek;
	struct attester_ak ak;
	struct attester_quote quote;
	(void)state;

	assert_int_equal(Esys_HierarchyChangeAuth(attester->esys, ESYS_TR_RH_ENDORSEMENT,
						  ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
						  &password),
			 TSS2_RC_SUCCESS);
	attester_close(attester);
	attester = open_tpm(); /* anew: ESYS remembers the password that it set */
	assert_int_equal(attester_ek(attester, ATTESTER_EK_ANY, &ek, &err), ATTESTER_REFUSED);
	assert_non_null(strstr(err.message, "endorsement hierarchy's to be empty"));
	assert_int_equal(attester_ak(attester, &ak, &err), ATTESTER_REFUSED);
	assert_int_equal(attester_quote(attester, nonce, &quote, &err), ATTESTER_REFUSED);
	assert_nothing_left(attester);
	assert_int_equal(Esys_TR_SetAuth(attester->esys, ESYS_TR_RH_ENDORSEMENT, &password),
			 TSS2_RC_SUCCESS);
	assert_int_equal(Esys_HierarchyChangeAuth(attester->esys, ESYS_TR_RH_ENDORSEMENT,
						  ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
						  &none),
			 TSS2_RC_SUCCESS);
	close_tpm(attester);
}

/* An attester over a TCTI that can be told to spoil; closed by close_spoiled. */
static struct attester *
open_spoiled(struct spoiled_tcti *spoiled)
{
	TSS2_TCTI_CONTEXT *inner = NULL;
	struct attester *attester = NULL;
	struct attester_error err;

	close_tpm(open_tpm());
	assert_int_equal(Tss2_TctiLdr_Initialize(tpm.tcti, &inner), TSS2_RC_SUCCESS);
	spoiled_tcti_init(spoiled, inner);
	assert_int_equal(attester_open_over((TSS2_TCTI_CONTEXT *)spoiled, &attester, &err),
			 ATTESTER_OK);
	spoiled->commands = 0;
	return attester;
}

static void
close_spoiled(struct attester *attester, struct spoiled_tcti *spoiled)
{
	attester_close(attester);
	Tss2_TctiLdr_Finalize(&spoiled->inner);
}

/* Everything the attester can be asked, one after the other, until something fails. */
static enum attester_status
ask_all(struct attester *attester, const struct attest_credential *credential,
	struct attester_error *err)
{
	struct attester_ek ek;
	struct attester_ak ak;
	struct attester_quote quote;
	uint8_t secret[64];
	size_t size;

	enum attester_status status = attester_ek(attester, ATTESTER_EK_P384, &ek, err);
	if (status == ATTESTER_OK)
		status = attester_ak(attester, &ak, err);
	if (status == ATTESTER_OK)
		status = attester_activate(attester, credential, secret, &size, err);
	if (status == ATTESTER_OK)
		status = attester_quote(attester, nonce, &quote, err);
	return status;
}

/* Each command in turn fails; whatever was loaded before it is flushed. */
static void
each_failure_leaves_nothing(void **state)
{
	static const struct {
		TSS2_RC rc;
		enum attester_status want;
	} rows[] = {
		{TPM2_RC_FAILURE, ATTESTER_UNAVAILABLE},
		{TPM2_RC_AUTH_FAIL | TPM2_RC_S | TPM2_RC_1, ATTESTER_REFUSED},
		{TPM2_RC_COMMAND_CODE, ATTESTER_UNSUPPORTED},
	};
	struct spoiled_tcti spoiled;
	struct attester *attester = open_spoiled(&spoiled);
	struct attester_error err;
	struct attester_ek ek;
	(void)state;

	assert_int_equal(attester_ek(attester, ATTESTER_EK_P384, &ek, &err), ATTESTER_OK);
	const struct attest_credential credential = make_credential(attester, &ek, some_secret);
	spoiled.commands = 0;
	assert_int_equal(ask_all(attester, &credential, &err), ATTESTER_OK);
	const unsigned commands = spoiled.commands;
	assert_in_range(commands, 15, 40);
	for (size_t row = 0; row < COUNT(rows); row++) {
		for (unsigned i = 1; i <= commands; i++) {
			spoiled.commands = 0;
			spoiled.fail_first = i;
			spoiled.fail_count = 1;
			spoiled.fail_with = rows[row].rc;
			enum attester_status status = ask_all(attester, &credential, &err);
			spoiled.fail_first = 0;
			if (status != rows[row].want)
				fail_msg("0x%x at %u: %d, %s", rows[row].rc, i, status,
					 err.message);
			assert_nothing_left(attester);
		}
	}
	close_spoiled(attester, &spoiled);
}

/* ESYS cannot send anything after its line failed: the attester stays unavailable, and a new one
 * works. */
static void
cut_line_ends_this_attester_alone(void **state)
{
	struct attester_error err;
	struct attester_quote quote;
	(void)state;

	for (unsigned i = 1; i <= 4; i++) {
		struct spoiled_tcti spoiled;
		struct attester *attester = open_spoiled(&spoiled);

		spoiled.fail_first = i;
		spoiled.fail_count = 1;
		spoiled.fail_with = TSS2_TCTI_RC_IO_ERROR;
		for (int tries = 0; tries < 3; tries++)
			assert_int_equal(attester_quote(attester, nonce, &quote, &err),
					 ATTESTER_UNAVAILABLE);
		close_spoiled(attester, &spoiled);
		assert_true(private_tpm_restart(&tpm)); /* there is no resource manager to flush */
	}
	struct attester *attester = open_tpm();
	assert_int_equal(attester_quote(attester, nonce, &quote, &err), ATTESTER_OK);
	close_tpm(attester);
}

static void
busy_tpm_is_asked_again_but_not_forever(void **state)
{
	static const TSS2_RC rows[] = {TPM2_RC_RETRY, TPM2_RC_TESTING, TPM2_RC_YIELDED};
	struct spoiled_tcti spoiled;
	struct attester *attester = open_spoiled(&spoiled);
	struct attester_error err;
	struct attester_quote quote;
	(void)state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		spoiled.commands = 0;
		spoiled.fail_first = 2;	 /* TPM2_Quote */
		spoiled.fail_count = 12; /* more often than ESYS repeats it by itself */
		spoiled.fail_with = rows[i];
		assert_int_equal(attester_quote(attester, nonce, &quote, &err), ATTESTER_OK);
		assert_in_range(spoiled.commands, 12, 30);
	}
	spoiled.commands = 0;
	spoiled.fail_count = 10000;
	assert_int_equal(attester_quote(attester, nonce, &quote, &err), ATTESTER_UNAVAILABLE);
	assert_non_null(strstr(err.message, "busy"));
	assert_in_range(spoiled.commands, 12, 100);
	spoiled.fail_first = 0;
	assert_nothing_left(attester);
	close_spoiled(attester, &spoiled);
}

static void
moved_pcrs_are_read_again_but_not_forever(void **state)
{
	struct spoiled_tcti spoiled;
	struct attester *attester = open_spoiled(&spoiled);
	struct attester_error err;
	struct attester_quote quote = {.message_size = 4711};
	(void)state;

	spoiled.move_count = 1000;
	assert_int_equal(attester_quote(attester, nonce, &quote, &err), ATTESTER_MOVED);
	assert_int_equal(quote.message_size, 4711);
	assert_int_equal(spoiled.move_count, 1000 - 5 * 2); /* five quotes, two readings each */
	spoiled.move_count = 4 * 2;
	assert_int_equal(attester_quote(attester, nonce, &quote, &err), ATTESTER_OK);
	assert_quote_holds(attester, &quote);
	assert_nothing_left(attester);
	close_spoiled(attester, &spoiled);
}

static void
a_dead_tpm_is_unavailable(void **state)
{
	struct attester *attester = open_tpm();
	struct attester_error err = {0};
	struct attester_quote quote;
	struct attester *again = NULL;
	(void)state;

	private_tpm_kill(&tpm);
	assert_int_equal(attester_quote(attester, nonce, &quote, &err), ATTESTER_UNAVAILABLE);
	attester_close(attester);
	assert_int_equal(attester_open(tpm.tcti, &again, &err), ATTESTER_UNAVAILABLE);
	assert_null(again);
	attester_close(NULL);
}

static int
stop_tpm(void **state)
{
	(void)state;
	private_tpm_stop(&tpm);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(open_says_why_not),
		cmocka_unit_test(open_names_a_missing_permission),
		cmocka_unit_test(answers_become_statuses),
		cmocka_unit_test(ek_is_the_template),
		cmocka_unit_test(ak_is_the_template_and_stays),
		cmocka_unit_test(activation_opens_what_was_made_for_it),
		cmocka_unit_test(spoiled_credential_is_refused),
		cmocka_unit_test(credential_for_another_key_is_refused),
		cmocka_unit_test(quote_covers_the_values_it_returns),
		cmocka_unit_test(no_sha256_bank_is_unsupported),
		cmocka_unit_test(owned_endorsement_hierarchy_is_refused),
		cmocka_unit_test(each_failure_leaves_nothing),
		cmocka_unit_test(cut_line_ends_this_attester_alone),
		cmocka_unit_test(busy_tpm_is_asked_again_but_not_forever),
		cmocka_unit_test(moved_pcrs_are_read_again_but_not_forever),
		cmocka_unit_test(chain_is_read_across_indices),
		cmocka_unit_test(spoiled_chain_is_no_chain),
		cmocka_unit_test(any_is_what_a_certificate_speaks_for),
		cmocka_unit_test(open_leaves_the_user_his_log_level),
		cmocka_unit_test(a_dead_tpm_is_unavailable),
	};

	if (!private_tpm_possible())
		fprintf(stderr, "swtpm is not installed: what needs a TPM is skipped\n");
	return cmocka_run_group_tests(tests, NULL, stop_tpm);
}
