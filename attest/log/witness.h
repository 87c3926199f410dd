/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A witness is the grammar of one subject (Secure Boot, GRUB, Windows...): it sees every event that
 * extended its PCRs, in order, and afterwards says what its PCRs prove. One file and one line in
 * the table of replay.c each. Types of events are never authenticated: a witness keeps to what the
 * digests leave no choice about, and where an event does not fit it makes no claim.
 */
#ifndef POSTERN_ATTEST_LOG_WITNESS_H
#define POSTERN_ATTEST_LOG_WITNESS_H

#include "attest/crypto.h"
#include "attest/eventlog.h"

#define WITNESS_WORDS_MAX 32

/* Recomputes digests in the bank that was quoted; one for a whole examination. What it needs, it
 * keeps: that an event's data is hashed once, however many witnesses ask. */
struct witness_hash {
	enum attest_bank bank;
	struct hasher *hasher; /* of that bank */
	struct hasher *sha256; /* the same where the bank is SHA-256 */
	bool failed;	       /* the cryptographic library did */
	struct bytes data;     /* of the current event */
	bool data_hashed;
	uint8_t data_digest[ATTEST_DIGEST_MAX]; /* its hash, if data_hashed */
	uint32_t word_count;
	struct {
		struct bytes word;
		uint8_t digest[ATTEST_DIGEST_MAX];
	} words[WITNESS_WORDS_MAX];
};
/* Is `digest` H(first || second)? With the current event's data as `first` and nothing as `second`
 * the hash is computed once per event. */
bool witness_hash_matches(struct witness_hash *hash, struct bytes digest, struct bytes first,
			  struct bytes second);
/* The same of a constant that many events are compared with: it is hashed once per examination.
 * `word` must be the same memory for that long, a literal or static. */
bool witness_hash_matches_word(struct witness_hash *hash, struct bytes digest, struct bytes word);
/* SHA-256 whatever the bank, for claims that are digests of authenticated bytes. */
bool witness_hash_sha256(struct witness_hash *hash, struct bytes bytes,
			 uint8_t ret_digest[ATTEST_HASH_SIZE]);

struct witness {
	const char *name;
	uint32_t pcrs;	   /* a bit per PCR: which events it is shown */
	size_t state_size; /* of its state, all zeros before the first event */
	/* event->digests[hash->bank] may be empty: an event that did not extend the bank that was
	 * quoted proves nothing there, and breaks a grammar. Data points into the log, which
	 * outlives the state. */
	void (*event)(void *state, const struct attest_event *event, struct witness_hash *hash);
	/* `held`: a bit per PCR that is exact or prefix; a claim needs all of its own. Claims are
	 * made in ascending order of ids, and witnesses stand in the table in that order. */
	void (*conclude)(const void *state, uint32_t held, struct witness_hash *hash,
			 struct attest_claims *claims);
};

#endif
