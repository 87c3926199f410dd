/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Firmware logs an EFI_SIGNATURE_DATA of db, shim a bare certificate or hash under its source's
 * name, old shims with some bytes behind it; and shim notes two variables that authorize nothing.
 * Anything else makes the list absent: it would not be of all.
 */
#include "authorities.h"
#include "attest/variable.h"

#define OWNER_SIZE	  16
#define HASH_BARE	  32
#define HASH_OWNED	  (OWNER_SIZE + HASH_BARE)
#define CERTIFICATE_LEAST 128 /* DER's short lengths end below; so do hashes */

static const struct variable_name DB = {VARIABLE_IMAGE_SECURITY, "db"};
static const struct variable_name SBAT_LEVEL = {VARIABLE_SHIM_LOCK, "SbatLevel"};
static const struct variable_name MOK_LIST_TRUSTED = {VARIABLE_SHIM_LOCK, "MokListTrusted"};

/* Is this exactly one DER SEQUENCE, as long as a certificate? */
static bool
is_certificate(struct bytes bytes)
{
	struct reader r = reader_of(bytes);
	uint8_t tag = read_u8(&r);
	uint8_t form = read_u8(&r);
	uint32_t size = 0;

	if (bytes.size < CERTIFICATE_LEAST || tag != 0x30 || form < 0x81 || form > 0x83)
		return false;
	for (uint8_t i = 0x80; i < form; i++)
		size = size << 8 | read_u8(&r);
	return !r.failed && size == r.left;
}

static bool
decode_authority(struct bytes value, struct authority *ret_authority)
{
	struct reader r = reader_of(value);

	read_bytes(&r, OWNER_SIZE);
	struct bytes owned = read_bytes(&r, r.left);
	/* A GUID that starts like DER of just this length leaves two readings. */
	if (is_certificate(value) && is_certificate(owned))
		return false;
	if (is_certificate(value))
		*ret_authority = (struct authority){.certificate = true, .bytes = value};
	else if (is_certificate(owned))
		*ret_authority = (struct authority){.certificate = true, .bytes = owned};
	else if (value.size == HASH_BARE)
		*ret_authority = (struct authority){.bytes = value};
	else if (value.size == HASH_OWNED)
		*ret_authority = (struct authority){.bytes = owned};
	else
		return false;
	return true;
}

/* Shim notes it before it has checked anything, so what comes later is somebody else's word. */
static void
add_sbat_level(struct authorities *authorities, struct bytes value)
{
	if (authorities->sbat_seen ? !bytes_equal(authorities->sbat_level, value)
				   : authorities->shim)
		authorities->sbat_unclear = true;
	authorities->sbat_seen = true;
	authorities->sbat_level = value;
}

void
authorities_add(struct authorities *authorities, struct bytes proved)
{
	struct variable variable;
	struct authority authority;

	if (!attest_variable_decode(proved, &variable)) {
		authorities->unclear = true;
		authorities->shim = true;
		return;
	}
	if (attest_variable_is(&variable, &SBAT_LEVEL)) {
		add_sbat_level(authorities, variable.value);
		return;
	}
	if (attest_variable_is(&variable, &MOK_LIST_TRUSTED))
		return;
	if (authorities->count == AUTHORITIES_MAX ||
	    !decode_authority(variable.value, &authority)) {
		authorities->unclear = true;
		authorities->shim = true;
		return;
	}
	authorities->found[authorities->count++] = authority;
	if (!attest_variable_is(&variable, &DB) || authority.bytes.size == variable.value.size)
		authorities->shim = true;
}

static void
claim_list(const struct authorities *authorities, struct witness_hash *hash,
	   struct attest_claims *claims)
{
	uint8_t digests[AUTHORITIES_MAX][ATTEST_HASH_SIZE];
	struct bytes values[AUTHORITIES_MAX];

	for (uint32_t i = 0; i < authorities->count; i++) {
		const struct authority *authority = &authorities->found[i];

		values[i] = BYTES_OF(digests[i]);
		if (!authority->certificate)
			values[i] = authority->bytes;
		else if (!witness_hash_sha256(hash, authority->bytes, digests[i]))
			return;
	}
	attest_claim_values(claims, CLAIM_AUTHORITIES, values, authorities->count);
}

/* Lines of CSV; a claim's text has no line ends, so a space joins them. */
static void
claim_sbat_level(struct bytes level, struct attest_claims *claims)
{
	uint8_t text[ATTEST_CLAIM_TEXT_MAX];
	struct writer w = writer_of(text, sizeof(text));
	struct reader r = reader_of(level);

	while (r.left > 0) {
		uint8_t c = read_u8(&r);

		if ((c < 0x21 && c != '\n') || c > 0x7e)
			return;
		if (c != '\n' || r.left > 0)
			write_u8(&w, c == '\n' ? ' ' : c);
	}
	if (!w.failed)
		attest_claim_values(claims, CLAIM_SBAT_LEVEL, (struct bytes[]){writer_bytes(&w)},
				    1);
}

void
authorities_claim(const struct authorities *authorities, struct witness_hash *hash,
		  struct attest_claims *claims)
{
	/* Of an empty list a policy's "all of these" holds: it is no claim. */
	if (!authorities->unclear && authorities->count > 0)
		claim_list(authorities, hash, claims);
	if (authorities->sbat_seen && !authorities->sbat_unclear)
		claim_sbat_level(authorities->sbat_level, claims);
}
