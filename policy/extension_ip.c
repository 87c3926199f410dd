/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and ranges of IPv4 and IPv6. */
#include "extension.h"

#include <string.h>

#define IP_TEXT_MAX    43 /* the longest IPv6 address and its prefix */
#define IPV4_BITS      32
#define IPV6_BITS      128
#define IPV6_GROUPS    8
#define OCTET_DIGITS   3
#define GROUP_DIGITS   4
#define COUNT_MIXED_IN 2 /* so many colons and dots mean IPv4 inside IPv6, which Cedar refuses */

struct ip_text {
	const char *next;
	const char *end;
};

static bool
take(struct ip_text *text, char wanted)
{
	if (text->next == text->end || *text->next != wanted)
		return false;
	text->next++;
	return true;
}

static unsigned int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned int)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (unsigned int)(c - 'A') + 10;
	return 16;
}

/* A number of up to `digits_max` digits; a longer one is none. */
static bool
take_number(struct ip_text *text, unsigned int base, size_t digits_max, unsigned int *ret_number)
{
	const char *start = text->next;
	unsigned int number = 0;

	while (text->next < text->end && hex_value(*text->next) < base) {
		if ((size_t)(text->next - start) == digits_max)
			return false;
		number = number * base + hex_value(*text->next++);
	}
	if (text->next == start)
		return false;
	*ret_number = number;
	return true;
}

/* Decimal numbers begin with a zero only where they are zero. */
static bool
take_decimal(struct ip_text *text, size_t digits_max, unsigned int *ret_number)
{
	const char *start = text->next;

	return take_number(text, 10, digits_max, ret_number) &&
	       (*start != '0' || text->next - start == 1);
}

static bool
take_ipv4(struct ip_text *text, struct ip_range *range)
{
	for (int i = 0; i < 4; i++) {
		unsigned int octet = 0;
		if (i > 0 && !take(text, '.'))
			return false;
		if (!take_decimal(text, OCTET_DIGITS, &octet) || octet > 255)
			return false;
		range->address[i] = (uint8_t)octet;
	}
	range->prefix = IPV4_BITS;
	return true;
}

/* Groups with a colon between each two, as many as there are; returns how many. What stops them is
 * left where it is. */
static size_t
take_groups(struct ip_text *text, uint8_t *address, size_t limit)
{
	size_t count = 0;

	while (count < limit) {
		struct ip_text ahead = *text;
		unsigned int group = 0;
		if (count > 0 && !take(&ahead, ':'))
			break;
		if (!take_number(&ahead, 16, GROUP_DIGITS, &group))
			break;
		address[2 * count] = (uint8_t)(group >> 8);
		address[2 * count + 1] = (uint8_t)group;
		count++;
		*text = ahead;
	}
	return count;
}

/* RFC 4291, section 2.2; `::` stands for one group at least. */
static bool
take_ipv6(struct ip_text *text, struct ip_range *range)
{
	uint8_t tail[2 * IPV6_GROUPS] = {0};

	range->v6 = true;
	range->prefix = IPV6_BITS;
	size_t front = take_groups(text, range->address, IPV6_GROUPS);
	if (front == IPV6_GROUPS)
		return true;
	if (!take(text, ':') || !take(text, ':'))
		return false;
	size_t back = take_groups(text, tail, IPV6_GROUPS - 1 - front);
	memcpy(range->address + 2 * (IPV6_GROUPS - back), tail, 2 * back);
	return true;
}

static size_t
count_of(const struct text *text, char wanted)
{
	size_t count = 0;

	for (size_t i = 0; i < text->size; i++)
		count += text->data[i] == wanted;
	return count;
}

static bool
take_address(const struct text *source, struct ip_text *text, struct ip_range *range)
{
	struct ip_text start = *text;

	if (count_of(source, ':') >= COUNT_MIXED_IN && count_of(source, '.') >= COUNT_MIXED_IN)
		return false;
	if (take_ipv4(text, range))
		return true;
	*text = start;
	memset(range, 0, sizeof(*range));
	return take_ipv6(text, range);
}

bool
ip_read(const struct text *source, struct ip_range *ret_range)
{
	struct ip_text text = {.next = source->data, .end = source->data + source->size};
	struct ip_range range = {0};
	unsigned int prefix = 0;

	if (source->size > IP_TEXT_MAX || !take_address(source, &text, &range))
		return false;
	if (take(&text, '/')) {
		if (!take_decimal(&text, range.v6 ? 3 : 2, &prefix) || prefix > range.prefix)
			return false;
		range.prefix = (uint8_t)prefix;
	}
	if (text.next != text.end)
		return false;
	*ret_range = range;
	return true;
}

/* Do the first `bits` bits agree? */
static bool
same_bits(const uint8_t *a, const uint8_t *b, unsigned int bits)
{
	if (memcmp(a, b, bits / 8) != 0)
		return false;
	unsigned int rest = bits % 8;
	return rest == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - rest) == 0;
}

bool
ip_in_range(const struct ip_range *range, const struct ip_range *within)
{
	return range->v6 == within->v6 && range->prefix >= within->prefix &&
	       same_bits(range->address, within->address, within->prefix);
}

bool
ip_is_loopback(const struct ip_range *range)
{
	static const struct ip_range v4 = {.address = {127}, .prefix = 8};
	static const struct ip_range v6 = {.address = {[15] = 1}, .prefix = IPV6_BITS, .v6 = true};

	return ip_in_range(range, range->v6 ? &v6 : &v4);
}

bool
ip_is_multicast(const struct ip_range *range)
{
	static const struct ip_range v4 = {.address = {224}, .prefix = 4};
	static const struct ip_range v6 = {.address = {0xff}, .prefix = 8, .v6 = true};

	return ip_in_range(range, range->v6 ? &v6 : &v4);
}
