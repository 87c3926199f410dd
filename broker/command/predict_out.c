/* SPDX-License-Identifier: Apache-2.0 */
#include "predict_out.h"

#include "command.h"
#include "encode.h"
#include "output.h"

#include <stdio.h>
#include <string.h>

#define HEX_MAX (2 * ATTEST_DIGEST_MAX + 1)

static void
hex_of(const struct attest_prediction *prediction, const uint8_t *value, char ret_hex[HEX_MAX])
{
	hex_encode(value, attest_bank_size(prediction->pcrs.bank), ret_hex);
}

static json_t *
hex_json(const struct attest_prediction *prediction, const uint8_t *value)
{
	char hex[HEX_MAX];

	hex_of(prediction, value, hex);
	return json_string(hex);
}

static json_t *
pcrs_json(const struct attest_prediction *prediction, const struct phases *phases)
{
	const struct attest_pcrs *pcrs = &prediction->pcrs;

	return json_pack("{s:{s:o,s:o,s:o}}", attest_bank_name(pcrs->bank), "4",
			 hex_json(prediction, pcrs->values[4]), "11",
			 hex_json(prediction, phases->items[phases->taken].value), "12",
			 hex_json(prediction, pcrs->values[12]));
}

/* Sections are the second of each pair of extensions of PCR 11. */
static json_t *
sections_json(const struct attest_prediction *prediction)
{
	static const char BEFORE[] = "section ";
	json_t *sections = json_array();

	for (uint32_t i = 0; i < prediction->step_count; i++) {
		const struct attest_step *step = &prediction->steps[i];
		if (step->pcr != 11 || strncmp(step->what, BEFORE, sizeof(BEFORE) - 1) != 0)
			continue;
		(void)json_array_append_new(sections,
					    json_pack("{s:s,s:I,s:o}", "name",
						      step->what + sizeof(BEFORE) - 1, "size",
						      (json_int_t)step->size, "digest",
						      hex_json(prediction, step->digest)));
	}
	return sections;
}

static json_t *
steps_json(const struct attest_prediction *prediction)
{
	json_t *steps = json_array();

	for (uint32_t i = 0; i < prediction->step_count; i++) {
		const struct attest_step *step = &prediction->steps[i];
		(void)json_array_append_new(steps, json_pack("{s:i,s:s,s:o}", "pcr", (int)step->pcr,
							     "what", step->what, "digest",
							     hex_json(prediction, step->digest)));
	}
	return steps;
}

int
prediction_print_json(const struct attest_prediction *prediction, const struct phases *phases,
		      unsigned stub)
{
	json_t *points = json_object();

	for (size_t i = 0; i < phases->count; i++)
		(void)json_object_set_new(points, phases->items[i].path,
					  hex_json(prediction, phases->items[i].value));
	auto_json *all = json_pack(
		"{s:o,s:o,s:s,s:o,s:o,s:o,s:i,s:b}", "pcrs", pcrs_json(prediction, phases),
		"phases", points, "phase", phases->items[phases->taken].path, "sections",
		sections_json(prediction), "measurements", steps_json(prediction), "authenticode",
		hex_json(prediction, prediction->authenticode), "stub", (int)stub, "kernelMeasured",
		prediction->kernel_measured);
	return all == NULL ? complain(EX_SOFTWARE, "out of memory") : output_json(all);
}

static void
steps_print(const struct attest_prediction *prediction)
{
	char hex[HEX_MAX], what[ATTEST_IMAGE_NOTE_MAX];

	(void)printf("What is extended, in this order:\n\n  PCR  %-40s digest\n", "what");
	for (uint32_t i = 0; i < prediction->step_count; i++) {
		const struct attest_step *step = &prediction->steps[i];
		hex_of(prediction, step->digest, hex);
		text_tame(step->what, strlen(step->what), what, sizeof(what));
		(void)printf("  %3u  %-40s %.16s...\n", step->pcr, what, hex);
	}
}

static void
phases_print(const struct attest_prediction *prediction, const struct phases *phases)
{
	char hex[HEX_MAX];

	(void)printf("\nPCR 11 while the system starts (systemd's words are in no event log):\n\n");
	for (size_t i = 0; i < phases->count; i++) {
		const char *word = strrchr(phases->items[i].path, ':');
		word = word != NULL ? word + 1 : phases->items[i].path;
		hex_of(prediction, phases->items[i].value, hex);
		(void)printf("  %s %-*s %s%s\n", i == 0 ? "at the" : "after", i == 0 ? 13 : 14,
			     word, hex, i == phases->taken ? "  <- taken" : "");
	}
}

/* The baseline, as it is typed. */
static void
baseline_print(const struct attest_prediction *prediction, const struct phases *phases,
	       const char *name)
{
	const struct attest_pcrs *pcrs = &prediction->pcrs;
	char four[HEX_MAX], eleven[HEX_MAX], twelve[HEX_MAX];

	hex_of(prediction, pcrs->values[4], four);
	hex_of(prediction, phases->items[phases->taken].value, eleven);
	hex_of(prediction, pcrs->values[12], twelve);
	(void)printf("\n%s: PCR 4, 11 (%s) and 12\n\n  4   %s\n  11  %s\n  12  %s\n",
		     attest_bank_name(pcrs->bank), phases->items[phases->taken].path, four, eleven,
		     twelve);
	if (pcrs->bank == ATTEST_SHA256)
		(void)printf("\npostern baseline add %s --pcr 4=%s --pcr 11=%s --pcr 12=%s\n",
			     name != NULL ? name : "NAME", four, eleven, twelve);
	if (name == NULL && pcrs->bank == ATTEST_SHA256)
		(void)printf("\nGive it a name and, with --until +90d, an end. It says nothing of "
			     "the firmware (PCR 0, 2)\nand of Secure Boot (PCR 7): `postern "
			     "baseline lint` tells what that leaves open.\n");
}

void
prediction_print(const struct attest_prediction *prediction, const struct phases *phases,
		 const char *name)
{
	steps_print(prediction);
	phases_print(prediction, phases);
	baseline_print(prediction, phases, name);
}
