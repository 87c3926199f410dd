/* SPDX-License-Identifier: Apache-2.0 */
/* Windows' tagged events, as wbcl.h of the Windows SDK numbers them: a number, a size, that many
 * bytes; lists of these are events themselves. */
#include "event_describe.h"

#define DEPTH_MAX   4
#define ITEMS_MAX   64 /* in one list */
#define BYTES_SHOWN 20

enum sipa_form {
	SIPA_BYTES,
	SIPA_NUMBER, /* of 1, 2, 4 or 8 bytes */
	SIPA_SWITCH, /* one byte */
	SIPA_TEXT,   /* UTF-16 */
	SIPA_LIST,
};

static const struct {
	uint32_t tag;
	enum sipa_form form;
	const char *name;
} TAGS[] = {
	{0x40010001, SIPA_LIST, "TrustBoundary"},
	{0x40010002, SIPA_LIST, "ELAMAggregation"},
	{0x40010003, SIPA_LIST, "LoadedModule"},
	{0xc0010004, SIPA_LIST, "TrustPoint"},
	{0x40010005, SIPA_LIST, "KSRAggregation"},
	{0x40010006, SIPA_LIST, "KSRSignedMeasurement"},
	{0x00020001, SIPA_BYTES, "Information"},
	{0x00020002, SIPA_NUMBER, "BootCounter"},
	{0x00020003, SIPA_NUMBER, "TransferControl"},
	{0x00020004, SIPA_NUMBER, "ApplicationReturn"},
	{0x00020005, SIPA_NUMBER, "BitLockerUnlock"},
	{0x00020006, SIPA_NUMBER, "EventCounter"},
	{0x00020007, SIPA_NUMBER, "CounterID"},
	{0x00020008, SIPA_SWITCH, "MORBitNotCancelable"},
	{0x00020009, SIPA_NUMBER, "ApplicationSVN"},
	{0x0002000a, SIPA_NUMBER, "SVNChainStatus"},
	{0x0002000b, SIPA_NUMBER, "MORBitAPIStatus"},
	{0x0002000c, SIPA_NUMBER, "IDKGenerationStatus"},
	{0x00030001, SIPA_NUMBER, "FirmwareFailure"},
	{0x00030003, SIPA_NUMBER, "InternalFailure"},
	{0x00040001, SIPA_SWITCH, "BootDebugging"},
	{0x00040002, SIPA_BYTES, "BootRevocationList"},
	{0x00050001, SIPA_SWITCH, "OSKernelDebug"},
	{0x00050002, SIPA_SWITCH, "CodeIntegrity"},
	{0x00050003, SIPA_SWITCH, "TestSigning"},
	{0x00050004, SIPA_NUMBER, "DataExecutionPrevention"},
	{0x00050005, SIPA_SWITCH, "SafeMode"},
	{0x00050006, SIPA_SWITCH, "WinPE"},
	{0x00050007, SIPA_NUMBER, "PhysicalAddressExtension"},
	{0x00050008, SIPA_NUMBER, "OSDevice"},
	{0x00050009, SIPA_TEXT, "SystemRoot"},
	{0x0005000a, SIPA_NUMBER, "HypervisorLaunchType"},
	{0x0005000b, SIPA_TEXT, "HypervisorPath"},
	{0x0005000c, SIPA_NUMBER, "HypervisorIOMMUPolicy"},
	{0x0005000d, SIPA_SWITCH, "HypervisorDebug"},
	{0x0005000e, SIPA_NUMBER, "DriverLoadPolicy"},
	{0x0005000f, SIPA_BYTES, "SIPolicy"},
	{0x00050010, SIPA_NUMBER, "HypervisorMMIONXPolicy"},
	{0x00050011, SIPA_NUMBER, "HypervisorMSRFilterPolicy"},
	{0x00050012, SIPA_NUMBER, "VSMLaunchType"},
	{0x00050013, SIPA_BYTES, "OSRevocationList"},
	{0x00050014, SIPA_NUMBER, "SMTStatus"},
	{0x00050020, SIPA_BYTES, "VSMIDKInfo"},
	{0x00050021, SIPA_SWITCH, "FlightSigning"},
	{0x00050022, SIPA_SWITCH, "PageFileEncryptionEnabled"},
	{0x00050023, SIPA_BYTES, "VSMIDKSInfo"},
	{0x00050024, SIPA_SWITCH, "HibernationDisabled"},
	{0x00050025, SIPA_SWITCH, "DumpsDisabled"},
	{0x00050026, SIPA_SWITCH, "DumpEncryptionEnabled"},
	{0x00050027, SIPA_BYTES, "DumpEncryptionKeyDigest"},
	{0x00050028, SIPA_NUMBER, "LSAISOConfig"},
	{0x00050029, SIPA_BYTES, "SBCPInfo"},
	{0x00050030, SIPA_NUMBER, "HypervisorBootDMAProtection"},
	{0x00050031, SIPA_BYTES, "SIPolicySigner"},
	{0x00050032, SIPA_BYTES, "SIPolicyUpdateSigner"},
	{0x00060001, SIPA_NUMBER, "NoAuthority"},
	{0x00060002, SIPA_BYTES, "AuthorityPubKey"},
	{0x00070001, SIPA_TEXT, "FilePath"},
	{0x00070002, SIPA_NUMBER, "ImageSize"},
	{0x00070003, SIPA_NUMBER, "HashAlgorithmID"},
	{0x00070004, SIPA_BYTES, "AuthenticodeHash"},
	{0x00070005, SIPA_TEXT, "AuthorityIssuer"},
	{0x00070006, SIPA_BYTES, "AuthoritySerial"},
	{0x00070007, SIPA_NUMBER, "ImageBase"},
	{0x00070008, SIPA_TEXT, "AuthorityPublisher"},
	{0x00070009, SIPA_BYTES, "AuthoritySHA1Thumbprint"},
	{0x0007000a, SIPA_SWITCH, "ImageValidated"},
	{0x0007000b, SIPA_NUMBER, "ModuleSVN"},
	{0x80080001, SIPA_BYTES, "Quote"},
	{0x80080002, SIPA_BYTES, "QuoteSignature"},
	{0x80080003, SIPA_TEXT, "AIKID"},
	{0x80080004, SIPA_BYTES, "AIKPubDigest"},
	{0x00090001, SIPA_TEXT, "ELAMKeyname"},
	{0x00090002, SIPA_BYTES, "ELAMConfiguration"},
	{0x00090003, SIPA_BYTES, "ELAMPolicy"},
	{0x00090004, SIPA_BYTES, "ELAMMeasured"},
	{0x000a0001, SIPA_SWITCH, "VBSVSMRequired"},
	{0x000a0002, SIPA_SWITCH, "VBSSecurebootRequired"},
	{0x000a0003, SIPA_SWITCH, "VBSIOMMURequired"},
	{0x000a0004, SIPA_SWITCH, "VBSNXRequired"},
	{0x000a0005, SIPA_SWITCH, "VBSMSRFilteringRequired"},
	{0x000a0006, SIPA_SWITCH, "VBSMandatoryEnforcement"},
	{0x000a0007, SIPA_BYTES, "VBSHVCIPolicy"},
	{0x000a0008, SIPA_SWITCH, "VBSMicrosoftBootChainRequired"},
	{0x000b0001, SIPA_BYTES, "KSRSignature"},
};
#define TAG_COUNT (sizeof(TAGS) / sizeof(*TAGS))

static size_t
tag_find(uint32_t tag)
{
	size_t i = 0;

	while (i < TAG_COUNT && TAGS[i].tag != tag)
		i++;
	return i;
}

bool
sipa_tag_known(uint32_t tag)
{
	return tag_find(tag) < TAG_COUNT;
}

static bool
add_number(struct words *words, struct bytes value)
{
	struct reader r = reader_of(value);
	unsigned long long number = 0;

	if (value.size == 1)
		number = read_u8(&r);
	else if (value.size == 2)
		number = read_le16(&r);
	else if (value.size == 4)
		number = read_le32(&r);
	else if (value.size == 8)
		number = read_le64(&r);
	if (!reader_finished(&r))
		return false;
	words_add(words, "%llu", number);
	return true;
}

static void
add_value(struct words *words, enum sipa_form form, struct bytes value)
{
	if (form == SIPA_SWITCH && value.size == 1 && value.data[0] <= 1) {
		words_add(words, "%s", value.data[0] == 1 ? "yes" : "no");
		return;
	}
	if ((form == SIPA_NUMBER || form == SIPA_SWITCH) && value.size > 0 &&
	    add_number(words, value))
		return;
	if (form == SIPA_TEXT) {
		words_add(words, "\"");
		words_add_utf16(words, value);
		words_add(words, "\"");
		return;
	}
	words_add_hex(words, value, BYTES_SHOWN);
}

/* Lists are entered `depth` levels down; the room for words bounds the rest. */
static void
add_list(struct words *words, struct bytes data, unsigned depth)
{
	struct reader r = reader_of(data);

	for (unsigned i = 0; i < ITEMS_MAX && r.left > 0; i++) {
		uint32_t tag = read_le32(&r);
		struct bytes value = read_bytes(&r, read_le32(&r));
		size_t known = tag_find(tag);

		if (r.failed)
			break;
		words_add(words, i > 0 ? ", " : "");
		if (known < TAG_COUNT)
			words_add(words, "%s", TAGS[known].name);
		else
			words_add(words, "0x%08x", tag);
		if (known < TAG_COUNT && TAGS[known].form == SIPA_LIST && depth < DEPTH_MAX) {
			words_add(words, " {");
			add_list(words, value, depth + 1);
			words_add(words, "}");
		} else {
			words_add(words, " ");
			add_value(words, known < TAG_COUNT ? TAGS[known].form : SIPA_BYTES, value);
		}
	}
	if (r.left > 0 || r.failed)
		words_add(words, " ...");
}

void
words_add_sipa(struct words *words, struct bytes data)
{
	add_list(words, data, 0);
}
