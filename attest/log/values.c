/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The values that a log claims, in every bank that it has: for people, who compare them with those
 * of a TPM. Nothing here is proved. Evidence goes through attest_eventlog_examine.
 */
#include "extend.h"

#include "attest/error.h"
#include "attest/eventlog.h"
#include "attest/events.h"

#include <string.h>

/* PFP 1.05, 10.4.5.3. */
static const uint8_t STARTUP_LOCALITY[16] = "StartupLocality";

/* TPM 2.0 PC Client Platform TPM Profile, 4.6.2: the registers of a dynamic launch that has not
 * happened. */
#define DYNAMIC_FIRST 17
#define DYNAMIC_LAST  22

/* Where PCR 0 starts, if this event says so. Locality 4: H-CRTM was measured before TPM2_Startup,
 * PFP 1.05, 3.3.2. */
static uint8_t
locality_of(const struct attest_event *event)
{
	struct reader r = reader_of(event->data);

	if (event->pcr != 0)
		return 0;
	if (event->type == EV_EFI_HCRTM_EVENT)
		return 4;
	if (event->type != EV_NO_ACTION ||
	    !bytes_equal(read_bytes(&r, sizeof(STARTUP_LOCALITY)), BYTES_OF(STARTUP_LOCALITY)))
		return 0;
	uint8_t locality = read_u8(&r);
	return reader_finished(&r) && (locality == 3 || locality == 4) ? locality : 0;
}

struct values {
	uint32_t banks;
	bool started; /* PCR 0 was extended: its locality is past */
	struct hasher hashers[ATTEST_BANKS];
	struct attest_pcrs pcrs[ATTEST_BANKS];
};

static void
values_close(struct values *values)
{
	for (unsigned bank = 0; bank < ATTEST_BANKS; bank++)
		hasher_close(&values->hashers[bank]);
}
#define auto_values __attribute__((cleanup(values_close))) struct values

static bool
values_open(struct values *values, uint32_t banks)
{
	values->banks = banks;
	for (unsigned bank = 0; bank < ATTEST_BANKS; bank++) {
		struct attest_pcrs *pcrs = &values->pcrs[bank];

		pcrs->bank = (enum attest_bank)bank;
		if ((banks >> bank & 1) == 0)
			continue;
		pcrs->known = (1U << ATTEST_PCRS) - 1;
		for (unsigned i = DYNAMIC_FIRST; i <= DYNAMIC_LAST; i++)
			memset(pcrs->values[i], 0xff, attest_bank_size(pcrs->bank));
		if (!hasher_open(&values->hashers[bank], attest_bank_name((enum attest_bank)bank)))
			return false;
	}
	return true;
}

static bool
values_extend(struct values *values, const struct attest_event *event)
{
	uint8_t locality = values->started ? 0 : locality_of(event);

	for (unsigned bank = 0; bank < ATTEST_BANKS; bank++) {
		size_t size = attest_bank_size((enum attest_bank)bank);
		uint8_t(*pcrs)[ATTEST_DIGEST_MAX] = values->pcrs[bank].values;

		if (locality != 0)
			pcrs[0][size - 1] = locality;
		if (event->extends && event->digests[bank].size != 0 &&
		    !pcr_extend(&values->hashers[bank], pcrs[event->pcr], size,
				event->digests[bank]))
			return false;
	}
	values->started = values->started || (event->extends && event->pcr == 0);
	return true;
}

enum attest_status
attest_eventlog_replay(struct bytes input, struct attest_pcrs ret_pcrs[ATTEST_BANKS],
		       uint32_t *ret_banks, struct attest_error *err)
{
	auto_values values = {0};
	struct attest_eventlog log;
	struct attest_event event;
	bool end = false;

	enum attest_status status = attest_eventlog_open(input, &log, err);
	if (status != ATTEST_OK)
		return status;
	if (!values_open(&values, log.banks))
		return attest_fail_memory(err);
	for (;;) {
		status = attest_eventlog_next(&log, &event, &end, err);
		if (status != ATTEST_OK)
			return status;
		if (end)
			break;
		if (!values_extend(&values, &event))
			return attest_fail_memory(err);
	}
	memcpy(ret_pcrs, values.pcrs, sizeof(values.pcrs));
	*ret_banks = values.banks;
	return ATTEST_OK;
}
