/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every decoder between the broker's processes; the first byte selects which. What is accepted
 * must encode to the same bytes again. After the codecs come a received datagram and a
 * configuration file.
 */
#include "wire_codecs.h"

#include "wire/frame.h"
#include "wire/settings.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ENCODED_MAX (64 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
recode(const struct wire_codec *codec, struct bytes input)
{
	static uint8_t memory[ENCODED_MAX];
	struct writer w = writer_of(memory, sizeof(memory));
	if (!codec->recode(input, &w))
		return;
	if (w.failed || !bytes_equal(writer_bytes(&w), input))
		abort();
}

/* A datagram without descriptors is received only as what channel_send would have sent. */
static void
receive(struct bytes input)
{
	uint8_t sent[FRAME_HEADER_SIZE + 256];
	struct frame_buffer buffer = {0};
	struct frame frame;
	int ends[2];
	if (input.size == 0 || input.size > sizeof(sent))
		return;
	if (channel_pair(ends) != CHANNEL_OK ||
	    send(ends[0], input.data, input.size, MSG_NOSIGNAL) != (ssize_t)input.size)
		abort();
	if (channel_receive(ends[1], &buffer, &frame) == CHANNEL_OK) {
		if (frame.descriptor != -1 || channel_send(ends[0], &frame) != CHANNEL_OK ||
		    recv(ends[1], sent, sizeof(sent), 0) != (ssize_t)input.size ||
		    memcmp(sent, input.data, input.size) != 0)
			abort();
	}
	frame_buffer_clear(&buffer);
	close(ends[0]);
	close(ends[1]);
}

static void
parse(struct bytes input)
{
	static const struct settings_key keys[] = {
		{"a", true, false},
		{"b", false, false},
		{NULL, false, false},
	};
	char problem[200] = "";
	long number = 0;
	struct settings *settings =
		settings_parse((const char *)input.data, input.size, "file", keys, problem);
	if ((settings == NULL) != (problem[0] != '\0') || strlen(problem) >= sizeof(problem))
		abort();
	if (settings == NULL)
		return;
	if (settings_number(settings, "b", -9, 99, 0, &number) && (number < -9 || number > 99))
		abort();
	settings_free(settings);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct bytes input = {data + 1, size - 1};
	if (data[0] < wire_codec_count)
		recode(&wire_codecs[data[0]], input);
	else if (data[0] == wire_codec_count)
		receive(input);
	else if (data[0] == wire_codec_count + 1)
		parse(input);
	return 0;
}
