/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bodies of frames between gateway, keeper and appraiser: a struct, an encoder and a decoder
 * each. Decoders answer false for anything malformed; what they return points into the body. A
 * decoded challenge, key, proof, signature (of operators) or block of PCR values has exactly its
 * size, a TPM structure is never empty, a certificate neither, names are name_valid, and a peer
 * is plain text.
 */
#ifndef POSTERN_WIRE_MESSAGE_H
#define POSTERN_WIRE_MESSAGE_H

#include "attest/endorsement.h"
#include "attest/ima.h"

#define WIRE_CHALLENGE_SIZE 58 /* version 1, evidence 1, issued 8, random 16, MAC 32 */
#define WIRE_KEY_SIZE	    32
#define WIRE_SIGNATURE_SIZE 64 /* Ed25519 */
#define WIRE_PATH_MAX	    255
#define WIRE_WANTED_MAX	    64 /* secrets in one request */
/* Bytes of one value, and of one release's values together. */
#define WIRE_SECRET_MAX	     (1024 * 1024)
#define WIRE_WANTED_SIZE_MAX (2 + WIRE_WANTED_MAX * (4 + WIRE_PATH_MAX + 4))
#define WIRE_IMA_LOG_MAX     ATTEST_IMA_MAX /* bytes of a list, or of the rest of one */
#define WIRE_IMA_ALLOWED_MAX 16384	    /* digests of files that are known to be good */
/* Of CRLs: bytes of one, and of all that a broker holds, which each enrolment's question has. */
#define WIRE_CRL_MAX	   (256 * 1024)
#define WIRE_CRLS_SIZE_MAX (2 * 1024 * 1024)
#define WIRE_REVOKED_MAX   WIRE_IMA_ALLOWED_MAX /* certificates that one revokes */
#define WIRE_PEER_MAX	   128			/* printable ASCII without quote and backslash */
#define WIRE_PCRS_SIZE	   (ATTEST_PCR_COUNT * ATTEST_HASH_SIZE)

enum wire_evidence { WIRE_EVIDENCE_TPM2 = 1 };

/* What a caller is told: one coarse word (wire_status_word) and an HTTP status
 * (wire_status_http). */
enum wire_status {
	WIRE_OK = 0,
	WIRE_MALFORMED, /* 400 malformed: the request itself */
	WIRE_CHALLENGE, /* 403 challenge: not ours, too old, used; ask for another */
	WIRE_IDENTITY,	/* 403 identity: AK unknown, not admitted, suspended or revoked */
	WIRE_QUOTE,	/* 403 quote: does not prove what it says */
	WIRE_POLICY,	/* 403 policy: proved, and not allowed; also a secret that is not there */
	WIRE_OPERATOR, /* 403 operator: signature, operator or challenge of an operator's request */
	WIRE_IMA,    /* 409 ima: the rest of a list whose beginning is not known; send all of it */
	WIRE_LIMIT,  /* 413 limit */
	WIRE_BUSY,   /* 503 busy: try again */
	WIRE_FAILED, /* 500 failed: the store or the keeper itself */
	WIRE_SEALED, /* 503 sealed: the keeper has no key yet */
	WIRE_FROZEN, /* 503 frozen: the store may be an older one; nothing but readings */
	WIRE_STORE,  /* 507 store: no room on the broker's disk, or it cannot be written; try later */
};
const char *wire_status_word(enum wire_status status);
unsigned wire_status_http(enum wire_status status);

/* FRAME_CHALLENGE = evidence:u8 || u16-sized ak_public */
struct wire_challenge_request {
	uint8_t evidence;
	struct bytes ak_public; /* TPMT_PUBLIC */
};
/* FRAME_RELEASE = lp(challenge) || u16-sized ak_public || recipient_key:32 || lp(wanted) ||
 * u16-sized quote || u16-sized signature || pcrs:512 || lp(event_log; empty: none) || lp(ima_log;
 * empty: none) || ima_offset:u64 || lp(peer) */
struct wire_release_request {
	struct bytes challenge;
	struct bytes ak_public;
	struct bytes recipient_key;
	struct bytes wanted; /* canonical: transcript.h */
	struct bytes quote;
	struct bytes signature;
	struct bytes pcrs;
	struct bytes event_log;
	struct bytes ima_log;
	/* Where ima_log begins in its list; 0: it is all of it, or there is none. With another, an
	 * empty ima_log says that the list is what it was. */
	uint64_t ima_offset;
	struct bytes peer; /* the peer's address in words, for the audit entry */
};
/* FRAME_ENROLL = u16-sized ek_public || u16-sized ak_public */
struct wire_enroll_request {
	struct bytes ek_public; /* TPMT_PUBLIC */
	struct bytes ak_public;
};
/* What the AK of a cloud says of Postern's.
 *   cloud = 0:u8 || or 1:u8 || u16-sized public_area || count:u8 || lp(certificate)* ||
 *           u16-sized message || u16-sized signature */
struct wire_cloud {
	bool sent;		   /* else nothing of what follows */
	struct bytes public_area;  /* TPMT_PUBLIC of the cloud's AK */
	uint8_t certificate_count; /* at least that AK's */
	struct bytes certificates[ATTEST_CERTIFICATES_MAX];
	struct bytes message; /* TPMS_ATTEST of TPM2_Certify */
	struct bytes signature;
};
/* FRAME_ACTIVATE = lp(challenge) || proof:32 || u16-sized ek_public || u16-sized ak_public ||
 * count:u8 || lp(certificate)* || cloud || u16-sized quote || u16-sized signature || pcrs:512 ||
 * lp(event_log) || lp(peer) */
struct wire_activate_request {
	struct bytes challenge;
	struct bytes proof;
	struct bytes ek_public;
	struct bytes ak_public;
	uint8_t certificate_count;
	struct bytes certificates[ATTEST_CERTIFICATES_MAX];
	struct wire_cloud cloud;
	struct bytes quote;
	struct bytes signature;
	struct bytes pcrs;
	struct bytes event_log;
	struct bytes peer;
};
/* FRAME_OPERATOR_CHALLENGE = lp(operator name) */
struct wire_operator_challenge_request {
	struct bytes operator_name;
};
/* FRAME_OPERATOR_REQUEST = lp(request) || signature:64 || lp(peer); the request is operation.h's */
struct wire_operator_request {
	struct bytes request;
	struct bytes signature;
	struct bytes peer;
};
/* FRAME_HEALTH has an empty body. */

/* FRAME_ANSWER = status:u8 || lp(payload); payload empty unless status is WIRE_OK, and then by
 * request:
 *   CHALLENGE           challenge:58 || expires_in:u32 || release_key:32
 *   RELEASE             ima_offset:u64 || lp(enc:32 || ciphertext) (HPKE auth mode; PROTOCOL.md)
 *   ENROLL              challenge:58 || expires_in:u32 || u16-sized blob || u16-sized secret ||
 *       release_key:32
 *   ACTIVATE            admitted:u8 || lp(machine id)
 *   OPERATOR_CHALLENGE  challenge:58 || expires_in:u32 || trust_revision:u64
 *   OPERATOR_REQUEST    lp(answer) || signature:64 (operation.h)
 *   HEALTH              state:u8 || trust_revision:u64 || threshold:u8 || count:u8 || given:u8 */
struct wire_answer {
	enum wire_status status;
	struct bytes payload;
};
struct wire_challenge_answer {
	struct bytes challenge;
	uint32_t expires_in; /* seconds */
	struct bytes release_key;
};
struct wire_release_answer {
	uint64_t ima_offset; /* from where the next request may send the IMA list; 0: all of it */
	struct bytes sealed;
};
struct wire_enroll_answer {
	struct bytes challenge;
	uint32_t expires_in;
	struct bytes blob;
	struct bytes secret;
	struct bytes release_key;
};
struct wire_activate_answer {
	bool admitted; /* else pending */
	struct bytes machine;
};
struct wire_operator_challenge_answer {
	struct bytes challenge;
	uint32_t expires_in;
	uint64_t trust_revision;
};
struct wire_operator_answer {
	struct bytes answer;
	struct bytes signature;
};
/* All that a sealed keeper tells the gateway, which whoever asks may know. */
enum wire_state { WIRE_SERVING = 0, WIRE_IS_SEALED, WIRE_IS_FROZEN };
struct wire_health {
	uint8_t state;		 /* enum wire_state, checked */
	uint64_t trust_revision; /* 0 while it is sealed */
	uint8_t threshold;	 /* of the root key's shares, as control_numbers_valid has them; */
	uint8_t count;		 /* 0 of 0: it lies in a file or a TPM */
	uint8_t given;		 /* shares so far; 0 unless it is sealed */
};

/* FRAME_EXAMINE_LOG = pcrs:512 || lp(event_log) || ima:u8, and where that is not 0: lp(ima_log) ||
 * point, where it is 2 || lp(allowed) || count:u8 || lp(key)*; examine_log.c */
enum wire_ima { WIRE_IMA_NONE = 0, WIRE_IMA_WHOLE, WIRE_IMA_REST };
struct wire_examine_log {
	struct bytes pcrs;
	struct bytes event_log; /* empty: none */
	enum wire_ima ima;	/* none: nothing of what follows */
	struct bytes ima_log;
	struct attest_ima_point from; /* of a rest, which begins at from.offset */
	struct bytes allowed;	      /* SHA-256 digests, strictly ascending */
	uint8_t key_count;
	struct bytes keys[ATTEST_IMA_KEYS_MAX]; /* DER */
};
/* FRAME_EXAMINE_ENROLMENT = now:u64 || u16-sized ek_public || u16-sized ak_public || transcript:32
 * || count:u8 || lp(certificate)* || cloud || count:u16 || lp(anchor)* || count:u8 || lp(crl)* ||
 * stale_crls:u8 || pcrs:512 || lp(event_log) */
struct wire_examine_enrolment {
	int64_t now;
	struct bytes ek_public;
	struct bytes ak_public;
	struct bytes transcript; /* that the cloud's AK must have signed */
	uint8_t certificate_count;
	struct bytes certificates[ATTEST_CERTIFICATES_MAX];
	struct wire_cloud cloud;
	uint16_t anchor_count;
	struct bytes anchors[ATTEST_ANCHORS_MAX];
	uint8_t crl_count;
	struct bytes crls[ATTEST_CRLS_MAX]; /* DER, WIRE_CRLS_SIZE_MAX bytes together */
	bool stale_crls;		    /* those past their nextUpdate count */
	struct bytes pcrs;
	struct bytes event_log;
};
/* FRAME_APPRAISED = log:u8 || chain:u8 || cloud:u8 || ima:u8 || report || chain fields || cloud's
 * chain fields || IMA report || lp(log error) || lp(chain error) || lp(cloud error) || lp(IMA
 * error); fields in appraisal.c. The keeper trusts none of it beyond claims and the chains'
 * verdicts, and bounds all of it. */
enum wire_verdict { WIRE_ABSENT = 0, WIRE_REFUSED, WIRE_VERIFIED };
struct wire_appraisal {
	enum wire_verdict log; /* absent: none was sent; refused: it did not parse */
	enum wire_verdict chain;
	enum wire_verdict cloud;
	enum wire_verdict ima;
	struct attest_report report;	     /* where log is verified */
	struct attest_chain ek_chain;	     /* where chain is verified */
	struct attest_chain cloud_chain;     /* where cloud is verified */
	struct attest_ima_report ima_report; /* where ima is verified; boot and PCR value of its
						point are the keeper's to fill in */
	char log_error[200];
	char chain_error[200];
	char cloud_error[200];
	char ima_error[200];
};

/* Encoders write into `w`; a short buffer, or a piece that is not of its one size, shows as
 * w->failed. Decoders demand reader_finished. */
#define WIRE_CODEC(name)                                                                           \
	void wire_##name##_write(struct writer *w, const struct wire_##name *message);             \
	__attribute__((warn_unused_result)) bool wire_##name##_read(                               \
		struct bytes body, struct wire_##name *ret_message)
WIRE_CODEC(challenge_request);
WIRE_CODEC(release_request);
WIRE_CODEC(enroll_request);
WIRE_CODEC(activate_request);
WIRE_CODEC(operator_challenge_request);
WIRE_CODEC(operator_request);
WIRE_CODEC(answer);
WIRE_CODEC(challenge_answer);
WIRE_CODEC(release_answer);
WIRE_CODEC(enroll_answer);
WIRE_CODEC(activate_answer);
WIRE_CODEC(operator_challenge_answer);
WIRE_CODEC(operator_answer);
WIRE_CODEC(health);
WIRE_CODEC(examine_log);
WIRE_CODEC(examine_enrolment);
WIRE_CODEC(appraisal);
#undef WIRE_CODEC

#endif
