/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share. */
#ifndef POSTERN_ATTEST_IMA_INTERNAL_H
#define POSTERN_ATTEST_IMA_INTERNAL_H

#include "attest/crypto.h"
#include "attest/ima.h"

#define IMA_TEMPLATE_NAME_MAX 128
#define IMA_FIELDS_MAX	      9 /* of evm-sig */

static inline struct bytes
ima_text(const char *text)
{
	size_t size = 0;

	while (text[size] != '\0')
		size++;
	return (struct bytes){(const uint8_t *)text, size};
}

/* ---- template.c ---- */

/* How a field is written in ASCII, and what of it is hashed. */
enum ima_field_form {
	IMA_FIELD_DIGEST, /* hex; the bytes */
	IMA_FIELD_NAMED,  /* "sha256:" hex, "ima:sha256:" hex; that text, NUL, the bytes */
	IMA_FIELD_TEXT,	  /* as it is; with NUL */
	IMA_FIELD_HEX,	  /* hex; the bytes */
	IMA_FIELD_NUMBER, /* decimal; little-endian */
};
struct ima_field {
	const char *name;
	enum ima_field_form form;
	size_t size; /* of digests and numbers */
};
/* The fields of a template that is known, or whose name spells them: "d-ng|n-ng|sig". 0: neither.
 */
size_t ima_template_fields(struct bytes name, const struct ima_field *ret_fields[IMA_FIELDS_MAX]);
bool ima_template_is_old(struct bytes name);	     /* `ima`, which hashes in a way of its own */
bool ima_template_name_plausible(struct bytes name); /* of a template that there may be one day */
/* The size of a digest; 0: the algorithm is not known. */
size_t ima_algorithm_size(struct bytes algorithm);
/* Fills what is known of an entry by its data. */
void ima_entry_read(struct attest_ima_entry *entry);

/* ---- ascii.c and read.c ---- */

/* The next line as an entry: its data go to list->data. */
__attribute__((warn_unused_result)) enum attest_status
ima_ascii_next(struct attest_ima_list *list, struct attest_ima_entry *entry,
	       struct attest_error *err);
/* Template data of `ima`: the digest, and the name padded with zeros. False: it cannot be. */
bool ima_old_data(struct attest_ima_list *list, struct bytes digest, struct bytes name,
		  struct bytes *ret_data);

/* ---- signature.c ---- */

struct ima_key {
	EVP_PKEY *key;
	uint8_t ids[2][4];
	size_t id_count;
	uint32_t cost; /* microseconds of one verification, roughly */
};
/* A SubjectPublicKeyInfo or a certificate in DER. */
__attribute__((warn_unused_result)) enum attest_status
ima_key_load(struct bytes der, struct ima_key *ret_key, struct attest_error *err);
void ima_key_clear(struct ima_key *key);
/* Of a readable entry that is a file. `ret_cost`: of the keys that were tried. */
enum attest_ima_signature ima_signature_judge(const struct attest_ima_entry *entry,
					      const struct ima_key *keys, size_t key_count,
					      uint32_t *ret_cost);

/* ---- judge.c ---- */

/* The same as attest_ima_judge_entry but for the template digest. `first`: of a boot's list.
 * `ask_signature`: else the verdict's signature is unsigned. */
__attribute__((warn_unused_result)) enum attest_status
ima_judge_content(struct attest_ima_judge *judge, const struct attest_ima_entry *entry, bool first,
		  bool ask_signature, struct attest_ima_verdict *ret_verdict,
		  struct attest_error *err);
uint64_t ima_judge_cost(const struct attest_ima_judge *judge);
/* Does the digest of a boot_aggregate follow from these values? */
enum attest_answer ima_aggregate_matches(const struct attest_ima_entry *entry,
					 const struct attest_pcrs *boot);

/* ---- replay.c ---- */

/* Extends one PCR by an entry: H(value || H(data)), or all ones for a violation. */
bool ima_extend(struct hasher *hasher, uint8_t *pcr, size_t size,
		const struct attest_ima_entry *entry);

#endif
