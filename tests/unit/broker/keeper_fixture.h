/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A keeper with a store of its own, served by threads of the test: the test is its gateway, one
 * thread its appraiser and one its supervisor. Guests are software TPMs. A step that must work ends
 * the test by assert where it does not.
 */
#ifndef POSTERN_TESTS_KEEPER_FIXTURE_H
#define POSTERN_TESTS_KEEPER_FIXTURE_H

#include "../attest/software_tpm.h"
#include "keeper/control.h"
#include "keeper/keeper.h"
#include "keeper/records.h"
#include "wire/operation.h"

#include <pthread.h>

#define HOUSE_TEXT_MAX (512 * 1024)

/* Every answer, in the order in which the keeper's socket gives them, before anyone who waits for
 * it goes on. */
typedef void house_watch(void *user, uint64_t id, enum wire_status status, struct bytes payload);

/* True in the test's own threads: what fails on purpose fails in the keeper's alone. */
extern __thread bool house_own_thread;

struct house_operator {
	char name[32];
	uint8_t public_key[32];
	uint8_t secret_key[64];
};

struct house {
	char folder[64];
	struct secret *root_key;
	struct share_set set; /* count 0: the root key has no shares */
	struct share shares[SHARES_MAX];
	char control[96]; /* the local socket's path */
	struct keeper_options options;
	struct keeper keeper;
	int gateway; /* the test's ends */
	int supervisor;
	int appraiser;
	pthread_t keeper_thread, reader_thread, supervisor_thread, appraiser_thread;
	bool serving;
	bool ended;		     /* house_await_end's */
	bool served;		     /* what keeper_serve answered */
	atomic_uint apart;	     /* logs that had an appraiser of their own */
	atomic_bool hangs;	     /* the appraiser, with a log in its hands */
	struct house_operator alice; /* whom the genesis introduces: role admin */
	uint8_t release_key[32], intake_key[32], answer_key[32]; /* public */

	pthread_mutex_t mutex;
	pthread_cond_t arrived;
	struct house_waiter *waiters;
	uint64_t next_id;
	house_watch *watch;
	void *watch_user;
	/* What the appraiser answers in place of the truth; NULL: that. */
	void (*lie)(const struct wire_examine_log *request, struct wire_appraisal *appraisal);
	void (*examining)(struct house *house); /* an enrolment; NULL: nothing */
	void (*before)(enum frame_type type);	/* each frame that is sent; NULL: nothing */
};

/* Makes the store and starts. `policies`: one Cedar text beside what lets role admin do everything.
 */
void house_open(struct house *house, const char *policies);
/* The same with a root key in shares, and nothing started. */
void house_found(struct house *house, const char *policies, uint8_t threshold, uint8_t count);
/* Ends the keeper and starts another on the same store; false with the problem where it refuses. */
void house_stop(struct house *house);
/* The keeper has to end by itself, as one that failed. */
void house_await_end(struct house *house);
bool house_start(struct house *house, char problem[KEEPER_PROBLEM_SIZE]);
/* Sealed. */
void house_start_sealed(struct house *house);
/* The keeper has to end by itself, sealed. */
void house_await_seal(struct house *house);
void house_close(struct house *house);

/* Sends and waits. `ret_payload` is malloced; NULL: not wanted. */
enum wire_status house_call(struct house *house, enum frame_type type, struct bytes body,
			    struct bytes *ret_payload);
/* In two steps: the id is known to the watch before the frame is sent. */
uint64_t house_id(struct house *house);
enum wire_status house_call_as(struct house *house, uint64_t id, enum frame_type type,
			       struct bytes body, struct bytes *ret_payload);

/* malloced, with a NUL behind it. */
struct bytes house_copy(struct bytes bytes);

/* ---- operators ---- */

struct house_answer {
	uint16_t operation; /* what was asked */
	enum wire_status status;
	enum operation_outcome outcome;
	uint64_t trust_revision;
	char *json; /* malloced, terminated */
};
/* Fills in answer key, name, challenge, and for an act the current revision unless one is given;
 * signs; checks the answer's signature and hash. `spoil` (may be NULL) changes the signed frame. */
struct house_answer house_operate(struct house *house, const struct house_operator *signer,
				  struct operation_request *request);
struct house_answer house_operate_as(struct house *house, uint64_t id,
				     const struct house_operator *signer,
				     struct operation_request *request,
				     void (*spoil)(uint8_t *frame, size_t size));
/* The same, must succeed. */
void house_must(struct house *house, struct operation_request *request);
/* With a check-and-set. */
struct house_answer house_put_as(struct house *house, const char *path, uint64_t cas,
				 struct bytes value);
void house_put(struct house *house, const char *path, struct bytes value);
/* Writes a list of names separated by spaces. */
struct bytes house_names(uint8_t *memory, size_t size, const char *names);
/* The whole audit log as the broker shows it; free it. */
char *house_audit(struct house *house);

/* ---- the local socket ---- */

struct house_control {
	int channel;
	uint64_t id;
	struct frame_buffer buffer;
	/* Frames before the answer; NULL: there must be none. */
	void (*piece)(struct house_control *control, uint16_t type, struct bytes body);
	void *user;
	/* Of the newest answer. */
	uint8_t status;
	char text[CONTROL_TEXT_MAX + 1];
	uint8_t payload[CONTROL_PAYLOAD_MAX];
	size_t payload_size;
};
void control_open(struct house *house, struct house_control *control);
void control_close(struct house_control *control);
/* Answers the status; -1: the keeper closed the connection. */
int control_ask(struct house_control *control, enum frame_type type, struct bytes body);
/* The house's share of that number, a bit of it turned where `wrong`. */
int control_give(struct house_control *control, const struct house *house,
		 enum control_purpose purpose, uint8_t number, bool wrong);
int control_give_key(struct house_control *control, const uint8_t key[CONTROL_KEY_SIZE],
		     enum control_purpose purpose, uint64_t witness);
int control_witness(struct house_control *control, uint8_t stage, uint64_t counter);
int control_thaw(struct house_control *control, uint64_t revision);
struct control_state control_state(struct house_control *control);

/* ---- guests ---- */

struct guest {
	struct software_tpm tpm;
	char id[MACHINE_ID_SIZE];
	uint8_t ak_name[AK_NAME_SIZE];
	uint8_t ek_id[32];
	bool guesses; /* an activation proof, for want of the EK */
	/* Changes an enrolment before it is encoded; what it adds must live as long as the call. */
	void (*enrols)(struct wire_activate_request *request, const uint8_t transcript[32],
		       void *user);
	void *user;
};
void guest_open(struct guest *guest);
void guest_close(struct guest *guest);
enum wire_status guest_enroll(struct house *house, struct guest *guest, bool *ret_admitted);
/* Enrols and is admitted, into group "web". */
void guest_admit(struct house *house, struct guest *guest, const char *name);
/* Opened, and admitted with this boot behind it. */
void guest_admit_booted(struct house *house, struct guest *guest, const char *name,
			const struct software_log *log);

struct guest_release {
	const char *path; /* NULL: "web/key" */
	uint32_t version;
	struct bytes event_log;
	struct bytes ima_log;
	uint64_t ima_offset;
	uint64_t *ret_ima_offset;	  /* NULL: not wanted; needs a wanted value */
	struct bytes challenge;		  /* empty: a new one */
	const struct guest *challenge_of; /* NULL: the guest itself */
	/* Changes the request before it is encoded; what it adds must live as long as the call. */
	void (*spoil)(struct wire_release_request *request, struct software_quote *quote,
		      const struct guest *guest);
};
/* `ret_value` is the first value, malloced and terminated; NULL: not wanted. */
enum wire_status guest_release(struct house *house, struct guest *guest,
			       const struct guest_release *how, char **ret_value);
/* For the house's watch: sends it under that id, and waits. */
void guest_release_as(struct house *house, uint64_t id, struct guest *guest,
		      const struct guest_release *how);
/* The request's frame alone, malloced: for those who send it themselves. */
struct bytes guest_request(struct house *house, struct guest *guest,
			   const struct guest_release *how, uint8_t ret_private[32]);
void guest_challenge(struct house *house, const struct guest *guest,
		     uint8_t ret_challenge[WIRE_CHALLENGE_SIZE]);

#endif
