/* SPDX-License-Identifier: Apache-2.0 */
/* Events of UEFI variables: UEFI_VARIABLE_DATA, PFP 1.05, 10.2.6, and what the known ones hold. */
#include "device_path.h"
#include "event_describe.h"

#include <string.h>

#define NAME_CHARACTERS_MAX 256
#define LISTS_MAX	    512	 /* signature lists in one variable */
#define KINDS_MAX	    8	 /* kinds of entries that are counted apart */
#define CERTIFICATES_MAX    8	 /* of which the names are told */
#define ORDER_MAX	    64	 /* boot options */
#define DESCRIPTION_MAX	    1024 /* bytes of a boot option's description */

struct variable {
	struct bytes guid;
	struct bytes value;
	struct words name;
};

static bool
variable_read(struct bytes data, struct variable *ret_variable)
{
	struct reader r = reader_of(data);

	ret_variable->guid = read_bytes(&r, GUID_BYTES);
	uint64_t characters = read_le64(&r), size = read_le64(&r);
	if (r.failed || characters > NAME_CHARACTERS_MAX || size > data.size)
		return false;
	ret_variable->name.size = 0;
	ret_variable->name.cut = false;
	ret_variable->name.text[0] = '\0';
	words_add_utf16(&ret_variable->name, read_bytes(&r, 2 * (size_t)characters));
	ret_variable->value = read_bytes(&r, (size_t)size);
	return !r.failed; /* some shims log a byte more */
}

/* ---- keys: EFI_SIGNATURE_LIST, UEFI 2.10, 32.4.1 ---- */

struct keys {
	size_t kinds;
	char guids[KINDS_MAX][GUID_TEXT];
	unsigned counts[KINDS_MAX];
	unsigned others;
	unsigned named;
	struct words names; /* of certificates */
};

static void
keys_count(struct keys *keys, const char *guid, unsigned count)
{
	size_t i = 0;

	while (i < keys->kinds && strcmp(keys->guids[i], guid) != 0)
		i++;
	if (i == KINDS_MAX) {
		keys->others += count;
		return;
	}
	if (i == keys->kinds) {
		memcpy(keys->guids[i], guid, GUID_TEXT);
		keys->kinds++;
	}
	keys->counts[i] += count;
}

/* EFI_SIGNATURE_DATA: an owner's GUID, then the entry. */
static void
keys_name(struct keys *keys, struct bytes entry)
{
	struct reader r = reader_of(entry);

	read_bytes(&r, GUID_BYTES);
	if (keys->named == CERTIFICATES_MAX)
		words_add(&keys->names, ", ...");
	if (keys->named++ >= CERTIFICATES_MAX)
		return;
	if (keys->named > 1)
		words_add(&keys->names, ", ");
	if (!words_add_certificate(&keys->names, read_bytes(&r, r.left)))
		words_add(&keys->names, "one that does not parse");
}

static bool
keys_read_list(struct keys *keys, struct reader *r)
{
	char guid[GUID_TEXT];

	guid_text(read_bytes(r, GUID_BYTES), guid);
	uint32_t size = read_le32(r), header = read_le32(r), entry = read_le32(r);
	if (r->failed || size < 28 || entry < GUID_BYTES || header > size - 28)
		return false;
	read_bytes(r, header);
	struct reader entries = reader_of(read_bytes(r, size - 28 - header));
	if (r->failed || entries.left % entry != 0)
		return false;
	const char *name = guid_name(guid);
	keys_count(keys, guid, (unsigned)(entries.left / entry));
	while (entries.left > 0 && name != NULL && strcmp(name, "certificate") == 0 &&
	       keys->named <= CERTIFICATES_MAX)
		keys_name(keys, read_bytes(&entries, entry));
	return true;
}

static void
add_keys(struct words *words, struct bytes value)
{
	struct keys keys = {.kinds = 0};
	struct reader r = reader_of(value);
	bool good = true;

	if (value.size == 0)
		words_add(words, "empty");
	for (unsigned i = 0; i < LISTS_MAX && r.left > 0 && good; i++)
		good = keys_read_list(&keys, &r);
	for (size_t i = 0; i < keys.kinds; i++) {
		const char *name = guid_name(keys.guids[i]);
		words_add(words, "%s%u %s%s", i > 0 ? ", " : "", keys.counts[i],
			  name != NULL ? name : keys.guids[i],
			  keys.counts[i] == 1 ? ""
			  : strstr(name != NULL ? name : "", "hash") != NULL ? "es"
									     : "s");
	}
	if (keys.others > 0)
		words_add(words, ", %u others", keys.others);
	if (keys.named > 0) {
		words_add(words, " (");
		words_add_words(words, &keys.names);
		words_add(words, ")");
	}
	if (r.left > 0 || !good)
		words_add(words, "%sbytes that do not parse", keys.kinds > 0 ? ", then " : "");
}

/* ---- boot options: EFI_LOAD_OPTION, UEFI 2.10, 3.1.3 ---- */

static void
add_boot_order(struct words *words, struct bytes value)
{
	struct reader r = reader_of(value);

	words_add(words, "the order in which boot options are tried:");
	for (unsigned i = 0; i < ORDER_MAX && r.left > 1; i++)
		words_add(words, " Boot%04X", read_le16(&r));
	words_add(words, r.left > 0 ? " ..." : value.size == 0 ? " none" : "");
}

static void
add_boot_option(struct words *words, const struct variable *variable)
{
	struct reader r = reader_of(variable->value), description;
	size_t size = 0;

	uint32_t attributes = read_le32(&r);
	uint16_t path_size = read_le16(&r);
	description = r;
	while (read_le16(&r) != 0 && size < DESCRIPTION_MAX)
		size += 2;
	struct bytes text = read_bytes(&description, size);
	struct bytes path = read_bytes(&r, path_size);
	words_add(words, "boot option %s: ", variable->name.text);
	if (r.failed) {
		words_add(words, variable->value.size == 0 ? "none" : "does not parse");
		return;
	}
	words_add(words, "\"");
	words_add_utf16(words, text);
	words_add(words, "\"%s, loads ", (attributes & 1) != 0 ? "" : " (inactive)");
	words_add_device_path(words, path);
	if (r.left > 0)
		words_add(words, ", with %zu bytes of options", r.left);
}

static bool
boot_option(const char *name)
{
	if (strlen(name) != 8 || strncmp(name, "Boot", 4) != 0)
		return false;
	return strspn(name + 4, "0123456789ABCDEFabcdef") == 4;
}

/* ---- all ---- */

/* Variables that hold one byte, and what their being 1 means. */
static const struct {
	const char *name;
	const char *on;
	const char *off;
} SWITCHES[] = {
	{"SecureBoot", "Secure Boot is on", "Secure Boot is OFF"},
	{"SetupMode", "setup mode: no platform key, anybody may change the keys",
	 "not in setup mode"},
	{"AuditMode", "audit mode: images are checked and run nonetheless", "not in audit mode"},
	{"DeployedMode", "deployed mode: keys change by signature alone", "not in deployed mode"},
};
/* Variables that hold keys. */
static const struct {
	const char *name;
	const char *what;
} KEYS[] = {
	{"PK", "the platform's key, which may change KEK"},
	{"KEK", "keys that may change db and dbx"},
	{"db", "whose images may run"},
	{"dbx", "images and keys that are forbidden"},
	{"dbt", "keys for timestamps"},
	{"dbr", "keys for recovery images"},
	{"MokList", "shim's own list of whose images may run"},
	{"MokListX", "shim's own list of what is forbidden"},
	{"vendor_db", "what shim's vendor lets run"},
};

static bool
add_switch(struct words *words, const struct variable *variable)
{
	for (size_t i = 0; i < sizeof(SWITCHES) / sizeof(*SWITCHES); i++) {
		struct reader r = reader_of(variable->value);
		if (strcmp(SWITCHES[i].name, variable->name.text) != 0)
			continue;
		uint8_t value = read_u8(&r);
		if (variable->value.size == 0)
			words_add(words, "variable %s is not set: %s", SWITCHES[i].name,
				  SWITCHES[i].off);
		else if (variable->value.size > 1 || value > 1)
			words_add(words, "variable %s is neither 0 nor 1", SWITCHES[i].name);
		else
			words_add(words, "%s", value == 1 ? SWITCHES[i].on : SWITCHES[i].off);
		return true;
	}
	return false;
}

static bool
add_known_keys(struct words *words, const struct variable *variable)
{
	for (size_t i = 0; i < sizeof(KEYS) / sizeof(*KEYS); i++)
		if (strcmp(KEYS[i].name, variable->name.text) == 0) {
			words_add(words, "%s (%s): ", KEYS[i].name, KEYS[i].what);
			add_keys(words, variable->value);
			return true;
		}
	return false;
}

static void
add_other(struct words *words, const struct variable *variable)
{
	words_add(words, "variable %s (%zu bytes", variable->name.text, variable->value.size);
	words_add(words, "; name space ");
	words_add_guid(words, variable->guid);
	words_add(words, ")");
	if (variable->value.size == 0)
		return;
	words_add(words, ": ");
	describe_bytes(words, &(struct attest_event){.data = variable->value});
}

void
describe_variable(struct words *words, const struct attest_event *event)
{
	struct variable variable;

	if (!variable_read(event->data, &variable)) {
		words_add(words, "a UEFI variable that does not parse: ");
		describe_bytes(words, event);
		return;
	}
	if (strcmp(variable.name.text, "BootOrder") == 0)
		add_boot_order(words, variable.value);
	else if (boot_option(variable.name.text))
		add_boot_option(words, &variable);
	else if (!add_switch(words, &variable) && !add_known_keys(words, &variable))
		add_other(words, &variable);
}

/* EFI_SIGNATURE_DATA, or of shim's own name space whatever shim thinks fit; some firmware logs the
 * certificate alone. */
void
describe_authority(struct words *words, const struct attest_event *event)
{
	struct variable variable;

	if (!variable_read(event->data, &variable)) {
		words_add(words, "what vouched for an image: certificate ");
		if (!words_add_certificate(words, event->data))
			describe_bytes(words, event);
		return;
	}
	struct reader r = reader_of(variable.value);
	read_bytes(&r, GUID_BYTES);
	struct words certificate = {.size = 0};
	if (words_add_certificate(&certificate, read_bytes(&r, r.left)) ||
	    words_add_certificate(&certificate, variable.value)) {
		words_add(words, "an image was allowed by %s's certificate ", variable.name.text);
		words_add_words(words, &certificate);
	} else if (strcmp(variable.name.text, "db") == 0) {
		words_add(words, "an image was allowed by an entry of db that is no certificate");
	} else if (!add_known_keys(words, &variable)) {
		add_other(words, &variable);
	}
}
