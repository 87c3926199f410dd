/* SPDX-License-Identifier: Apache-2.0 */
/*
 * systemd-stub(7): of a unified kernel image each section's name (ASCII with its NUL) and contents
 * go to PCR 11, in one order, each once; command lines from outside of the image go to PCR 12 in
 * UTF-16 with their NUL. Names are few, so PCR 11 needs nothing that the log says beside digests.
 */
#include "list.h"
#include "text.h"
#include "witnesses.h"

#define LINES_MAX 64

/* systemd's uki.h, in the order of measurement; .pcrsig, which signs the result, is not in it. */
static const char *const SECTIONS[] = {
	".linux", ".osrel", ".cmdline", ".initrd",  ".ucode",	".splash", ".dtb",
	".uname", ".sbat",  ".pcrpkey", ".profile", ".dtbauto", ".hwids",  ".efifw",
};
#define SECTION_COUNT (sizeof(SECTIONS) / sizeof(SECTIONS[0]))
#define CMDLINE	      2 /* of SECTIONS */

struct stub {
	bool broken;			      /* PCR 11 does not fit */
	bool named;			      /* a name came, its contents did not */
	size_t next;			      /* sections before this one are past */
	struct bytes contents[SECTION_COUNT]; /* digests; empty: no such section */
	struct list lines;		      /* PCR 12, UTF-16 */
};

static void
name_event(struct stub *stub, struct bytes digest, struct witness_hash *hash)
{
	static const uint8_t nul[1];
	size_t i = stub->next;

	while (i < SECTION_COUNT &&
	       !witness_hash_matches(hash, digest, log_text_of(SECTIONS[i]), BYTES_OF(nul)))
		i++;
	/* A kernel comes first, or it is no such image. */
	if (i == SECTION_COUNT || (stub->next == 0 && i != 0)) {
		stub->broken = true;
		return;
	}
	stub->named = true;
	stub->next = i + 1;
}

static void
section_event(struct stub *stub, struct bytes digest, struct witness_hash *hash)
{
	if (digest.size == 0)
		stub->broken = true;
	else if (!stub->named)
		name_event(stub, digest, hash);
	else {
		stub->contents[stub->next - 1] = digest;
		stub->named = false;
	}
}

static void
witness_event(void *state, const struct attest_event *event, struct witness_hash *hash)
{
	struct stub *stub = state;
	struct bytes digest = event->digests[hash->bank];

	if (event->pcr == 11) {
		if (!stub->broken)
			section_event(stub, digest, hash);
		return;
	}
	/* Credentials and device trees are measured here too: their contents are not in the log. */
	if (witness_hash_matches(hash, digest, event->data, (struct bytes){0}) &&
	    stub->lines.count < LINES_MAX)
		list_add(&stub->lines, event->data);
	else
		stub->lines.broken = true;
}

/* ".linux:<hex of the digest>" */
static void
write_section(struct writer *w, const char *name, struct bytes digest)
{
	write_bytes(w, log_text_of(name));
	write_u8(w, ':');
	for (size_t i = 0; i < digest.size; i++) {
		write_u8(w, (uint8_t) "0123456789abcdef"[digest.data[i] >> 4]);
		write_u8(w, (uint8_t) "0123456789abcdef"[digest.data[i] & 15]);
	}
}

static void
claim_sections(const struct stub *stub, struct attest_claims *claims)
{
	uint8_t memory[SECTION_COUNT][16 + 2 * ATTEST_DIGEST_MAX];
	struct bytes texts[SECTION_COUNT];
	size_t count = 0;

	for (size_t i = 0; i < SECTION_COUNT; i++) {
		struct writer w = writer_of(memory[count], sizeof(memory[count]));

		if (stub->contents[i].size == 0)
			continue;
		write_section(&w, SECTIONS[i], stub->contents[i]);
		texts[count++] = writer_bytes(&w);
	}
	attest_claim_values(claims, CLAIM_UKI_SECTIONS, texts, count);
	if (stub->contents[CMDLINE].size != 0)
		attest_claim_values(claims, CLAIM_UKI_COMMAND_LINE, &stub->contents[CMDLINE], 1);
}

static void
claim_lines(const struct stub *stub, struct attest_claims *claims)
{
	uint8_t memory[ATTEST_CLAIMS_MAX];
	struct writer w = writer_of(memory, sizeof(memory));
	struct bytes texts[LINES_MAX];

	for (size_t i = 0; i < stub->lines.count; i++) {
		size_t start = w.size;

		if (!text_from_utf16(stub->lines.values[i], &w))
			return;
		texts[i] = (struct bytes){memory + start, w.size - start};
	}
	attest_claim_values(claims, CLAIM_STUB_COMMAND_LINES, texts, stub->lines.count);
}

static void
conclude(const void *state, uint32_t held, struct witness_hash *hash, struct attest_claims *claims)
{
	const struct stub *stub = state;
	bool image = (held >> 11 & 1) != 0 && !stub->broken && !stub->named && stub->next > 0;

	(void)hash;
	if (image)
		claim_sections(stub, claims);
	/* Without an image's stub, which measures what it is given, none in PCR 12 says nothing. */
	if ((held >> 12 & 1) != 0 && !stub->lines.broken && (image || stub->lines.count > 0))
		claim_lines(stub, claims);
}

const struct witness witness_stub = {
	.name = "systemd-stub",
	.pcrs = 1U << 11 | 1U << 12,
	.state_size = sizeof(struct stub),
	.event = witness_event,
	.conclude = conclude,
};
