/* SPDX-License-Identifier: Apache-2.0 */
/* Events of UEFI variables: UEFI_VARIABLE_DATA, PFP 1.05, 10.2.6, and what the known ones hold. */
#include "device_path.h"
#include "event_describe.h"

#include "attest/signaturelist.h"
#include "attest/variable.h"

#include <string.h>

#define KINDS_MAX	 8    /* kinds of entries that are counted apart */
#define CERTIFICATES_MAX 8    /* of which the names are told */
#define ORDER_MAX	 64   /* boot options */
#define DESCRIPTION_MAX	 1024 /* bytes of a boot option's description */

/* A variable, and its name for people. Only its own name space makes it the one that is known. */
struct named {
	struct variable variable;
	struct words name;
};

static bool
named_read(struct bytes data, struct named *ret_named)
{
	if (!attest_variable_decode(data, &ret_named->variable))
		return false;
	ret_named->name.size = 0;
	ret_named->name.cut = false;
	ret_named->name.text[0] = '\0';
	words_add_utf16(&ret_named->name, ret_named->variable.name);
	return true;
}

/* ---- keys: EFI_SIGNATURE_LIST, UEFI 2.10, 32.4.1 ---- */

struct keys {
	size_t kinds;
	struct bytes types[KINDS_MAX];
	unsigned counts[KINDS_MAX];
	unsigned others;
	unsigned named;
	struct words names; /* of certificates */
};

static void
keys_count(struct keys *keys, struct bytes type)
{
	size_t i = 0;

	while (i < keys->kinds && !bytes_equal(keys->types[i], type))
		i++;
	if (i == KINDS_MAX) {
		keys->others++;
		return;
	}
	if (i == keys->kinds)
		keys->types[keys->kinds++] = type;
	keys->counts[i]++;
}

static void
keys_name(struct keys *keys, struct bytes certificate)
{
	if (keys->named == CERTIFICATES_MAX)
		words_add(&keys->names, ", ...");
	if (keys->named++ >= CERTIFICATES_MAX)
		return;
	if (keys->named > 1)
		words_add(&keys->names, ", ");
	if (!words_add_certificate(&keys->names, certificate))
		words_add(&keys->names, "one that does not parse");
}

/* False: what follows those that were counted does not parse. */
static bool
keys_read(struct keys *keys, struct bytes value)
{
	struct signature_lists lists = attest_signature_lists_of(value);
	struct signature signature;

	while (attest_signature_next(&lists, &signature)) {
		keys_count(keys, signature.type);
		if (bytes_equal(signature.type, BYTES_OF(SIGNATURE_X509)))
			keys_name(keys, signature.data);
	}
	return !lists.lists.failed;
}

static void
add_kind(struct words *words, struct bytes type, unsigned count)
{
	char guid[GUID_TEXT];

	guid_text(type, guid);
	const char *name = guid_name(guid) != NULL ? guid_name(guid) : guid;
	const char *many = strstr(name, "hash") != NULL ? "es" : "s";
	words_add(words, "%u %s%s", count, name, count == 1 ? "" : many);
}

static void
add_keys(struct words *words, struct bytes value)
{
	struct keys keys = {.kinds = 0};
	bool good = keys_read(&keys, value);

	if (value.size == 0)
		words_add(words, "empty");
	else if (good && keys.kinds == 0)
		words_add(words, "lists without entries");
	for (size_t i = 0; i < keys.kinds; i++) {
		words_add(words, i > 0 ? ", " : "");
		add_kind(words, keys.types[i], keys.counts[i]);
	}
	if (keys.others > 0)
		words_add(words, ", %u others", keys.others);
	if (keys.named > 0) {
		words_add(words, " (");
		words_add_words(words, &keys.names);
		words_add(words, ")");
	}
	if (!good)
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
add_boot_option(struct words *words, const struct named *named)
{
	struct reader r = reader_of(named->variable.value), description;
	size_t size = 0;

	uint32_t attributes = read_le32(&r);
	uint16_t path_size = read_le16(&r);
	description = r;
	while (read_le16(&r) != 0 && size < DESCRIPTION_MAX)
		size += 2;
	struct bytes text = read_bytes(&description, size);
	struct bytes path = read_bytes(&r, path_size);
	words_add(words, "boot option %s: ", named->name.text);
	if (r.failed) {
		words_add(words, named->variable.value.size == 0 ? "none" : "does not parse");
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
boot_option(const struct named *named)
{
	const char *name = named->name.text;

	if (!bytes_equal(named->variable.guid, (struct bytes){VARIABLE_GLOBAL, VARIABLE_GUID_SIZE}))
		return false;
	return strlen(name) == 8 && strncmp(name, "Boot", 4) == 0 &&
	       strspn(name + 4, "0123456789ABCDEFabcdef") == 4;
}

/* ---- all ---- */

/* Variables that hold one byte, and what their being 1 means. */
static const struct {
	struct variable_name variable;
	const char *on;
	const char *off;
} SWITCHES[] = {
	{{VARIABLE_GLOBAL, "SecureBoot"}, "Secure Boot is on", "Secure Boot is OFF"},
	{{VARIABLE_GLOBAL, "SetupMode"},
	 "setup mode: no platform key, anybody may change the keys",
	 "not in setup mode"},
	{{VARIABLE_GLOBAL, "AuditMode"},
	 "audit mode: images are checked and run nonetheless",
	 "not in audit mode"},
	{{VARIABLE_GLOBAL, "DeployedMode"},
	 "deployed mode: keys change by signature alone",
	 "not in deployed mode"},
};
/* Variables that hold keys. */
static const struct {
	struct variable_name variable;
	const char *what;
} KEYS[] = {
	{{VARIABLE_GLOBAL, "PK"}, "the platform's key, which may change KEK"},
	{{VARIABLE_GLOBAL, "KEK"}, "keys that may change db and dbx"},
	{{VARIABLE_IMAGE_SECURITY, "db"}, "whose images may run"},
	{{VARIABLE_IMAGE_SECURITY, "dbx"}, "images and keys that are forbidden"},
	{{VARIABLE_IMAGE_SECURITY, "dbt"}, "keys for timestamps"},
	{{VARIABLE_IMAGE_SECURITY, "dbr"}, "keys for recovery images"},
	{{VARIABLE_SHIM_LOCK, "MokList"}, "shim's own list of whose images may run"},
	{{VARIABLE_SHIM_LOCK, "MokListX"}, "shim's own list of what is forbidden"},
	{{VARIABLE_IMAGE_SECURITY, "vendor_db"}, "what shim's vendor lets run"},
};

static bool
add_switch(struct words *words, const struct variable *variable)
{
	for (size_t i = 0; i < sizeof(SWITCHES) / sizeof(*SWITCHES); i++) {
		struct reader r = reader_of(variable->value);
		const char *name = SWITCHES[i].variable.name;
		if (!attest_variable_is(variable, &SWITCHES[i].variable))
			continue;
		uint8_t value = read_u8(&r);
		if (variable->value.size == 0)
			words_add(words, "variable %s is not set: %s", name, SWITCHES[i].off);
		else if (variable->value.size > 1 || value > 1)
			words_add(words, "variable %s is neither 0 nor 1", name);
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
		if (attest_variable_is(variable, &KEYS[i].variable)) {
			words_add(words, "%s (%s): ", KEYS[i].variable.name, KEYS[i].what);
			add_keys(words, variable->value);
			return true;
		}
	return false;
}

static void
add_other(struct words *words, const struct named *named)
{
	const struct variable *variable = &named->variable;

	words_add(words, "variable %s (%zu bytes", named->name.text, variable->value.size);
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
	static const struct variable_name boot_order = {VARIABLE_GLOBAL, "BootOrder"};
	struct named named;

	if (!named_read(event->data, &named)) {
		words_add(words, "a UEFI variable that does not parse: ");
		describe_bytes(words, event);
		return;
	}
	if (attest_variable_is(&named.variable, &boot_order))
		add_boot_order(words, named.variable.value);
	else if (boot_option(&named))
		add_boot_option(words, &named);
	else if (!add_switch(words, &named.variable) && !add_known_keys(words, &named.variable))
		add_other(words, &named);
}

/* EFI_SIGNATURE_DATA, or of shim's own name space whatever shim thinks fit; some firmware logs the
 * certificate alone. */
void
describe_authority(struct words *words, const struct attest_event *event)
{
	static const struct variable_name db = {VARIABLE_IMAGE_SECURITY, "db"};
	struct named named;

	if (!named_read(event->data, &named)) {
		words_add(words, "what vouched for an image: certificate ");
		if (!words_add_certificate(words, event->data))
			describe_bytes(words, event);
		return;
	}
	struct reader r = reader_of(named.variable.value);
	read_bytes(&r, GUID_BYTES);
	struct words certificate = {.size = 0};
	if (words_add_certificate(&certificate, read_bytes(&r, r.left)) ||
	    words_add_certificate(&certificate, named.variable.value)) {
		words_add(words, "an image was allowed by %s's certificate ", named.name.text);
		words_add_words(words, &certificate);
	} else if (attest_variable_is(&named.variable, &db)) {
		words_add(words, "an image was allowed by an entry of db that is no certificate");
	} else if (!add_known_keys(words, &named.variable)) {
		add_other(words, &named);
	}
}
