/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What firmware, a boot menu and systemd's stub extend on the way to the kernel: PFP 1.05, 3.3.4.5
 * (PCR 4), systemd-stub(7) and the UAPI group's Linux TPM PCR Registry (PCR 11, 12). Where versions
 * of the stub differ, or more than the image decides, there is a refusal and no guess. The slow
 * tests hold this to boots of a machine with a TPM.
 */
#include "uki.h"

#include "attest/crypto.h"
#include "attest/error.h"

#include <stdio.h>
#include <string.h>

#define ACTION_BOOT_OPTION "Calling EFI Application from Boot Option"
#define OS_SEPARATOR	   "os-separator"
#define STUB_RUNS_KERNEL   258 /* from here on the stub starts the kernel without LoadImage() */
#define KERNEL_LOADED	   1   /* kernels with a lower image version get a handover instead */
#define BOOT_PASSES_LINE   254 /* until then this menu hands an image its own line, as if given */
#define BOOT_KEEPS_LINE	   257 /* from here on it does not; of those between nothing is known here */
#define ZEROS_MAX	   65536

static const uint8_t ZEROS[ZEROS_MAX];

struct course { /* a prediction that is being made */
	struct hasher *hasher;
	struct attest_prediction *prediction;
	struct attest_error *err;
};

static struct bytes
bytes_of_text(const char *text, size_t size)
{
	return (struct bytes){(const uint8_t *)text, size};
}

static enum attest_status
extend(struct course *course, unsigned pcr, const char *what, uint64_t size, struct bytes digest)
{
	struct attest_prediction *prediction = course->prediction;
	struct attest_step *step = &prediction->steps[prediction->step_count];
	uint8_t *value = prediction->pcrs.values[pcr];
	struct bytes pieces[] = {{value, digest.size}, digest};

	if (prediction->step_count == ATTEST_IMAGE_STEPS_MAX)
		return attest_fail(course->err, ATTEST_LIMIT, "image.steps",
				   "more than %d extensions", ATTEST_IMAGE_STEPS_MAX);
	*step = (struct attest_step){.pcr = pcr, .size = size};
	snprintf(step->what, sizeof(step->what), "%s", what);
	memcpy(step->digest, digest.data, digest.size);
	prediction->step_count++;
	if (!hash_pieces(course->hasher, pieces, 2, value))
		return attest_fail_memory(course->err);
	return ATTEST_OK;
}

/* Extends by the hash of what is given in two pieces. */
static enum attest_status
measure(struct course *course, unsigned pcr, const char *what, struct bytes first,
	struct bytes second)
{
	struct bytes pieces[] = {first, second};
	uint8_t digest[ATTEST_DIGEST_MAX];

	if (!hash_pieces(course->hasher, pieces, 2, digest))
		return attest_fail_memory(course->err);
	return extend(course, pcr, what, (uint64_t)first.size + second.size,
		      (struct bytes){digest, attest_bank_size(course->prediction->pcrs.bank)});
}

static enum attest_status
measure_text(struct course *course, unsigned pcr, const char *what, const char *text)
{
	return measure(course, pcr, what, bytes_of_text(text, strlen(text)),
		       (struct bytes){NULL, 0});
}

static enum attest_status
measure_image(struct course *course, const char *what, const struct attest_image *image)
{
	enum attest_bank bank = course->prediction->pcrs.bank;
	uint8_t digest[ATTEST_DIGEST_MAX];
	enum attest_status status = attest_image_authenticode(image, bank, digest, course->err);

	if (status != ATTEST_OK)
		return status;
	return extend(course, 4, what, image->file.size,
		      (struct bytes){digest, attest_bank_size(bank)});
}

/* ---- PCR 4 ---- */

/* The firmware says that it is about to boot, ends what it measures for itself, and extends what it
 * loads. QEMU's -kernel loads the image first. */
static enum attest_status
measure_way(struct course *course, const struct attest_boot *boot)
{
	enum attest_status status = ATTEST_OK;

	if (boot->direct)
		status = measure_image(course, "unified kernel image", boot->uki);
	if (status == ATTEST_OK)
		status = measure_text(course, 4, "\"" ACTION_BOOT_OPTION "\"", ACTION_BOOT_OPTION);
	if (status == ATTEST_OK)
		status = measure(course, 4, "separator", (struct bytes){ZEROS, 4},
				 (struct bytes){NULL, 0});
	for (size_t i = 0; status == ATTEST_OK && i < boot->loader_count; i++) {
		char what[ATTEST_IMAGE_NOTE_MAX];
		snprintf(what, sizeof(what), "boot loader %zu%s", i + 1,
			 boot->loaders[i]->boot != 0 ? " (systemd-boot)" : "");
		status = measure_image(course, what, boot->loaders[i]);
	}
	if (status == ATTEST_OK && !boot->direct)
		status = measure_image(course, "unified kernel image", boot->uki);
	return status;
}

/* Until 257 the stub starts the kernel by LoadImage(), so that the firmware measures it once more.
 * Under Secure Boot the stub vouches for it by a hook that stands before what measures. */
static enum attest_status
measure_kernel(struct course *course, const struct attest_boot *boot,
	       const struct attest_image_section *section)
{
	struct attest_image kernel;

	if (boot->secure_boot || boot->uki->stub >= STUB_RUNS_KERNEL)
		return ATTEST_OK;
	if (section->data.size < section->size)
		return attest_fail(course->err, ATTEST_UNSUPPORTED, "image.kernel",
				   "the kernel is longer when loaded than it is in the file");
	struct reader r = reader_of(section->data);
	enum attest_status status =
		attest_image_open(read_bytes(&r, section->size), &kernel, course->err);
	if (status != ATTEST_OK)
		return attest_fail(course->err, status, "image.kernel",
				   "section .linux is no PE/COFF image that firmware could load");
	if (kernel.version < KERNEL_LOADED)
		return attest_fail(course->err, ATTEST_UNSUPPORTED, "image.kernel",
				   "a kernel before 5.8 is started otherwise");
	course->prediction->kernel_measured = true;
	return measure_image(course, "the kernel in it", &kernel);
}

/* ---- PCR 11 ---- */

/* The name with its NUL, then the contents as they are in memory. */
static enum attest_status
measure_section(struct course *course, const struct attest_image_section *section)
{
	char what[ATTEST_IMAGE_NOTE_MAX];
	struct reader r = reader_of(section->data);
	uint32_t held =
		(uint32_t)(section->data.size < section->size ? section->data.size : section->size);
	uint32_t zeros = section->size - held;

	if (zeros > ZEROS_MAX)
		return attest_fail(course->err, ATTEST_UNSUPPORTED, "image.zeros",
				   "section %s has %u bytes that are not in the file, %d allowed",
				   section->name, zeros, ZEROS_MAX);
	snprintf(what, sizeof(what), "name \"%s\"", section->name);
	enum attest_status status =
		measure(course, 11, what, bytes_of_text(section->name, strlen(section->name) + 1),
			(struct bytes){NULL, 0});
	if (status != ATTEST_OK)
		return status;
	snprintf(what, sizeof(what), "section %s", section->name);
	return measure(course, 11, what, read_bytes(&r, held), (struct bytes){ZEROS, zeros});
}

static enum attest_status
measure_sections(struct course *course, const struct uki *uki)
{
	enum attest_status status = ATTEST_OK;

	for (size_t i = 0; status == ATTEST_OK && i < uki->measured_count; i++)
		status = measure_section(course, uki->measured[i]);
	return status;
}

/* ---- PCR 12 ---- */

/* UTF-16 with its NUL. Whoever measures a line hashes what a boot left of it: white space at its
 * ends and control characters fare differently by version. */
static enum attest_status
measure_line(struct course *course, const char *who, struct bytes line)
{
	uint8_t wide[2 * (ATTEST_IMAGE_LINE_MAX + 1)] = {0};
	struct writer w = writer_of(wide, sizeof(wide));
	char what[ATTEST_IMAGE_NOTE_MAX];

	for (size_t i = 0; i < line.size; i++) {
		write_u8(&w, line.data[i]);
		write_u8(&w, 0);
	}
	write_be16(&w, 0);
	if (w.failed)
		return attest_fail(course->err, ATTEST_LIMIT, "image.line",
				   "a command line of %zu characters, %d allowed", line.size,
				   ATTEST_IMAGE_LINE_MAX);
	snprintf(what, sizeof(what), "command line, by %s", who);
	return measure(course, 12, what, writer_bytes(&w), (struct bytes){NULL, 0});
}

/* A menu of systemd's passes lines on and measures them itself; older ones also that which stands
 * in the image. */
static enum attest_status
measure_lines(struct course *course, const struct attest_boot *boot, const struct uki *uki)
{
	struct bytes line = {NULL, 0};
	unsigned menu = 0;
	enum attest_status status = ATTEST_OK;

	for (size_t i = 0; i < boot->loader_count; i++)
		menu = boot->loaders[i]->boot != 0 ? boot->loaders[i]->boot : menu;
	if (boot->command_line != NULL) {
		line = bytes_of_text(boot->command_line, strlen(boot->command_line));
	} else if (menu > BOOT_PASSES_LINE && menu < BOOT_KEEPS_LINE && uki->line.size > 0) {
		return attest_fail(course->err, ATTEST_UNSUPPORTED, "image.boot",
				   "systemd-boot %u: say which command line it passes", menu);
	} else if (menu != 0 && menu <= BOOT_PASSES_LINE) {
		line = uki->line;
	}
	if (line.size == 0)
		return ATTEST_OK;
	if (!uki_line_plain(line))
		return attest_fail(course->err, ATTEST_UNSUPPORTED, "image.line",
				   "a command line that is not plain ASCII, that begins with @, or "
				   "with spaces at its ends is changed on the way");
	if (menu != 0)
		status = measure_line(course, "systemd-boot", line);
	if (status == ATTEST_OK && !(boot->secure_boot && uki->line.size > 0))
		status = measure_line(course, "systemd-stub", line);
	return status;
}

/* ---- all of it ---- */

static enum attest_status
predict(struct course *course, const struct attest_boot *boot)
{
	struct uki uki;
	enum attest_status status = uki_read(boot->uki, &uki, course->err);

	if (status == ATTEST_OK)
		status = measure_way(course, boot);
	if (status == ATTEST_OK)
		status = measure_sections(course, &uki);
	if (status == ATTEST_OK)
		status = measure_lines(course, boot, &uki);
	if (status == ATTEST_OK)
		status = measure_kernel(course, boot, uki.kernel);
	for (unsigned pcr = 4; boot->os_separator && status == ATTEST_OK && pcr <= 12; pcr += 8)
		status = measure_text(course, pcr, "\"" OS_SEPARATOR "\"", OS_SEPARATOR);
	return status;
}

enum attest_status
attest_boot_predict(const struct attest_boot *boot, enum attest_bank bank,
		    struct attest_prediction *ret_prediction, struct attest_error *err)
{
	struct attest_prediction prediction = {
		.pcrs = {.bank = bank, .known = 1U << 4 | 1U << 11 | 1U << 12}};
	auto_hasher hasher = {.state = NULL};
	struct course course = {&hasher, &prediction, err};
	enum attest_status status =
		attest_image_authenticode(boot->uki, bank, prediction.authenticode, err);

	if (status != ATTEST_OK)
		return status;
	if (boot->direct && boot->loader_count > 0)
		return attest_fail(err, ATTEST_UNSUPPORTED, "image.direct",
				   "QEMU's -kernel starts the image itself, without a boot loader");
	if (!hasher_open(&hasher, attest_bank_name(bank)))
		return attest_fail_memory(err);
	status = predict(&course, boot);
	if (status == ATTEST_OK)
		*ret_prediction = prediction;
	return status;
}

enum attest_status
attest_phase_extend(enum attest_bank bank, const uint8_t value[ATTEST_DIGEST_MAX], const char *word,
		    uint8_t ret_value[ATTEST_DIGEST_MAX], struct attest_error *err)
{
	uint8_t digest[ATTEST_DIGEST_MAX] = {0}, extended[ATTEST_DIGEST_MAX] = {0};
	size_t size = attest_bank_size(bank);
	auto_hasher hasher = {.state = NULL};
	struct bytes text = bytes_of_text(word, strlen(word));
	struct bytes pieces[] = {{value, size}, {digest, size}};

	if (!hasher_open(&hasher, attest_bank_name(bank)) ||
	    !hash_pieces(&hasher, &text, 1, digest) || !hash_pieces(&hasher, pieces, 2, extended))
		return attest_fail_memory(err);
	memcpy(ret_value, extended, sizeof(extended));
	return ATTEST_OK;
}
