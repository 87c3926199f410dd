/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operators' requests. Every one is a canonical frame signed with the operator's Ed25519 key,
 * acts and readings alike: there is no token to steal. One table says which fields an operation
 * takes, whether it is an act, and (operation name = Cedar action) what policy decides it.
 * PROTOCOL.md, "Operators' requests".
 *
 *   request = lp("postern/operator/v1") || answer_key:32 || lp(operator) || lp(challenge) ||
 *             trust_revision:u64 || operation:u16 || count:u8 || (field:u8 || lp(value))*
 *             fields strictly ascending
 *   answer  = lp("postern/answer/v1") || SHA-256(request):32 || outcome:u8 ||
 *             trust_revision:u64 || lp(json)
 *
 * answer_key is the broker's own Ed25519 key (it signs answers and checkpoints): a request is for
 * one broker only. trust_revision is the revision an act applies to; whatever is not an act
 * carries 0, and genesis applies to 0.
 */
#ifndef POSTERN_WIRE_OPERATION_H
#define POSTERN_WIRE_OPERATION_H

#include "transcript.h"

#define OPERATION_REQUEST_MAX  (WIRE_SECRET_MAX + 64 * 1024)
#define OPERATION_LIST_MAX     32 /* names in one list */
#define OPERATION_ANSWER_MAX   (2 * 1024 * 1024)
#define OPERATION_POLICY_MAX   (256 * 1024)
#define OPERATION_REASON_MAX   200
#define OPERATION_VERSIONS_MAX 100 /* versions of one secret, at most */

enum operation {
	/* readings */
	OPERATION_STATUS = 1,
	OPERATION_SECRET_LIST,
	OPERATION_SECRET_SHOW, /* metadata, never the value */
	OPERATION_MACHINE_LIST,
	OPERATION_MACHINE_SHOW,
	OPERATION_BASELINE_LIST,
	OPERATION_POLICY_SHOW,
	OPERATION_POLICY_CHECK,
	OPERATION_OPERATOR_LIST,
	OPERATION_ANCHOR_LIST,
	OPERATION_EXPLAIN,
	OPERATION_AUDIT_READ,
	OPERATION_ACT_READ,
	OPERATION_IMA_KEY_LIST,
	OPERATION_IMA_ALLOW_LIST,
	OPERATION_CRL_LIST,
	/* values */
	OPERATION_SECRET_PUT = 64,
	OPERATION_SECRET_DELETE,   /* versions, softly; without a list the newest */
	OPERATION_SECRET_UNDELETE, /* versions that are deleted */
	OPERATION_SECRET_DESTROY,  /* versions, for good */
	OPERATION_SECRET_SETTINGS, /* settings and custom metadata */
	OPERATION_SECRET_REMOVE,   /* all versions and metadata, for good */
	OPERATION_SEAL,		   /* at once; unsealing takes the holders of the key */
	OPERATION_ROTATE,	   /* a new data key */
	/* acts */
	OPERATION_GENESIS =
		128, /* revision 1, made by `postern init`, never accepted from outside */
	OPERATION_MACHINE_REGISTER,
	OPERATION_MACHINE_ADMIT,
	OPERATION_MACHINE_SUSPEND,
	OPERATION_MACHINE_READMIT,
	OPERATION_MACHINE_GROUP,
	OPERATION_BASELINE_ADD,
	OPERATION_BASELINE_END,
	OPERATION_POLICY_APPLY,
	OPERATION_POLICY_DELETE,
	OPERATION_ANCHOR_ADD,
	OPERATION_REVOKE,
	OPERATION_OPERATOR_ADD,
	OPERATION_IMA_KEY_ADD,
	OPERATION_IMA_ALLOW_ADD,
	OPERATION_IMA_ALLOW_END,
	OPERATION_CRL_ADD,
	OPERATION_CRL_END,
	OPERATION_REKEY, /* that the root key may be made anew, once, for so many shares */
};

enum operation_field {
	FIELD_MACHINE = 1, /* machine id "m-" and 16 hex digits, or its name */
	FIELD_NAME,    /* name_valid: the new machine's, baseline's, policy's, operator's name */
	FIELD_GROUPS,  /* list of names; an empty list is allowed */
	FIELD_ROLES,   /* list of at least one name */
	FIELD_EK_ID,   /* 32 bytes: attest_ek_id */
	FIELD_AK_NAME, /* TPM2B_NAME's contents, 34 bytes */
	FIELD_PCRS,    /* mask:u16 (bit n = PCR n) || 32 bytes for each, ascending; mask not 0 */
	FIELD_FROM,    /* u64 <= INT64_MAX: Unix seconds; for readings the first number */
	FIELD_UNTIL,   /* u64 <= INT64_MAX: Unix seconds, exclusive */
	FIELD_POLICY,  /* Cedar text */
	FIELD_KIND,    /* "ek-ca", "ek", "ak", "machine", "baseline", "operator",
			"ima-key" */
	FIELD_ID,      /* lower-case hex of an ek-ca's, a CRL's, ek's or ima-key's id or an
			  ak's     name, or a name, by kind */
	FIELD_REASON,  /* UTF-8 text, printable, 1..OPERATION_REASON_MAX bytes */
	FIELD_OPERATOR_KEY, /* 32 bytes, Ed25519 public key */
	FIELD_CERTIFICATE,  /* DER of a CA certificate, opaque to the keeper */
	FIELD_SUBJECT,	    /* that certificate's subject, as the operator's command read it */
	FIELD_PATH,	    /* path_valid; for SECRET_LIST a prefix of whole components, or empty */
	FIELD_CAS,	    /* u64: 0 must not exist, n must be version n, UINT64_MAX no check */
	FIELD_SEALED,	    /* HPKE to the intake key: enc || ciphertext */
	FIELD_COUNT,	    /* u64: at most that many */
	FIELD_AFTER,	    /* text: page on after this key */
	FIELD_STATE,	    /* "pending", "admitted", "suspended": filter of MACHINE_LIST */
	FIELD_POLICIES,	    /* genesis: list of lp(name), lp(text) alternately */
	FIELD_PUBLIC_KEY, /* DER of a key that signs files, opaque to the keeper; its id is SHA-256
			   */
	FIELD_DIGESTS,	/* SHA-256, 32 bytes each, strictly ascending, at least one: of files; of a
			   CRL's revoked certificates, as attest_crl_revoked names them */
	FIELD_CRL,	/* DER of a CRL, opaque to the keeper */
	FIELD_VERSIONS, /* u32 each, strictly ascending, at least one, at most
			   OPERATION_VERSIONS_MAX */
	FIELD_SETTINGS, /* struct secret_settings */
	FIELD_CUSTOM, /* list of lp(name), lp(value) alternately: all custom metadata; may be empty
		       */
	FIELD_SHARES, /* count:u8 || threshold:u8, both 0 for none */
	FIELD_LIMIT,  /* one past the last field */
};

struct operation_info {
	enum operation operation;
	const char *name;  /* also the Cedar action's id: "machine-admit" */
	const char *group; /* the Cedar action group it is in: "read", "write" or "trust" */
	bool act;
	uint32_t required; /* bits: 1u << enum operation_field */
	uint32_t optional;
};
/* NULL for what is not an operation. */
const struct operation_info *operation_find(uint16_t operation);
/* For building Cedar's action entities: index from 0, NULL at the end. */
const struct operation_info *operation_at(size_t index);

struct operation_request {
	struct bytes answer_key;
	struct bytes operator_name;
	struct bytes challenge; /* empty in the genesis act only */
	uint64_t trust_revision;
	uint16_t operation;
	uint32_t present;		  /* bits of the fields that are there */
	struct bytes fields[FIELD_LIMIT]; /* by enum operation_field; empty where absent */
};
void operation_request_write(struct writer *w, const struct operation_request *request);
/* Checks the frame, that the operation exists, that the fields are those it takes, and each
 * field's own form. On failure `ret_problem` names the field or rule (a literal). */
__attribute__((warn_unused_result)) bool
operation_request_read(struct bytes encoded, struct operation_request *ret_request,
		       const char **ret_problem);

/* Sets a field and its presence bit; the bytes stay the caller's. */
void operation_set(struct operation_request *request, enum operation_field field,
		   struct bytes value);
void operation_set_text(struct operation_request *request, enum operation_field field,
			const char *text);
bool operation_has(const struct operation_request *request, enum operation_field field);
/* u64 fields: `storage` must outlive the request. */
void operation_set_number(struct operation_request *request, enum operation_field field,
			  uint64_t value, uint8_t storage[8]);
uint64_t operation_number(const struct operation_request *request, enum operation_field field,
			  uint64_t absent);

/* lists = count:u16 || lp(name)* */
struct name_list {
	uint16_t count;
	struct bytes names[OPERATION_LIST_MAX];
};
void name_list_write(struct writer *w, const struct name_list *list);
__attribute__((warn_unused_result)) bool name_list_read(struct bytes encoded,
							struct name_list *ret_list);

/* FIELD_PCRS */
struct pcr_values {
	uint16_t mask;
	uint8_t values[ATTEST_PCR_COUNT][ATTEST_HASH_SIZE]; /* zeros where the mask has no bit */
};
void pcr_values_write(struct writer *w, const struct pcr_values *values);
__attribute__((warn_unused_result)) bool pcr_values_read(struct bytes encoded,
							 struct pcr_values *ret_values);

/* FIELD_VERSIONS */
struct version_list {
	uint16_t count;
	uint32_t versions[OPERATION_VERSIONS_MAX];
};
void version_list_write(struct writer *w, const struct version_list *list);
__attribute__((warn_unused_result)) bool version_list_read(struct bytes encoded,
							   struct version_list *ret_list);

/* FIELD_SETTINGS = mask:u8 || versions_max:u32 || cas_required:u8 || delete_version_after:u64; a
 * field whose bit is not in the mask is 0, and stays what it is */
enum secret_setting {
	SETTING_VERSIONS_MAX = 1, /* 0: the broker's default; at most OPERATION_VERSIONS_MAX */
	SETTING_CAS_REQUIRED = 2, /* a put must say which version it replaces */
	SETTING_DELETE_VERSION_AFTER = 4, /* seconds from its writing, 0: never */
};
struct secret_settings {
	uint8_t mask;
	uint32_t versions_max;
	bool cas_required;
	uint64_t delete_version_after;
};
void secret_settings_write(struct writer *w, const struct secret_settings *settings);
__attribute__((warn_unused_result)) bool secret_settings_read(struct bytes encoded,
							      struct secret_settings *ret_settings);

/* FIELD_CUSTOM; names distinct, 1..CUSTOM_NAME_MAX bytes, values 0..CUSTOM_VALUE_MAX, both
 * printable UTF-8 (Vault's limits) */
#define CUSTOM_MAX	 64
#define CUSTOM_NAME_MAX	 128
#define CUSTOM_VALUE_MAX 512
struct custom_metadata {
	uint16_t count;
	struct bytes names[CUSTOM_MAX];
	struct bytes values[CUSTOM_MAX];
};
void custom_metadata_write(struct writer *w, const struct custom_metadata *metadata);
__attribute__((warn_unused_result)) bool custom_metadata_read(struct bytes encoded,
							      struct custom_metadata *ret_metadata);

enum operation_outcome {
	OUTCOME_OK = 0,
	OUTCOME_DENIED,	  /* policy says no */
	OUTCOME_STALE,	  /* the act's trust revision is not the current one; trust moved during a
			     policy-check */
	OUTCOME_INVALID,  /* it makes no sense now: json has {"errors":[...]} */
	OUTCOME_MISSING,  /* what it names is not there */
	OUTCOME_CONFLICT, /* check-and-set */
	OUTCOME_FAILED,	  /* the store says no */
	OUTCOME_FROZEN,	  /* the store may be an older one: readings alone */
};
struct operation_answer {
	struct bytes request_hash;
	uint8_t outcome;
	uint64_t trust_revision; /* after the operation */
	struct bytes json;	 /* UTF-8 JSON text written by the keeper */
};
void operation_answer_write(struct writer *w, const struct operation_answer *answer);
__attribute__((warn_unused_result)) bool operation_answer_read(struct bytes encoded,
							       struct operation_answer *ret_answer);

#endif
