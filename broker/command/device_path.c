/* SPDX-License-Identifier: Apache-2.0 */
#include "device_path.h"

#define NODES_MAX   64
#define HEX_MAX	    16
#define EISA_PNP    0x41d0 /* "PNP" in an EISA id: UEFI 2.10, 10.3.3 */
#define PCI_ROOT    0x0a03
#define PCIE_ROOT   0x0a08
#define MAC_FIELD   32
#define MAC_SIZE    6
#define GPT	    2
#define MBR	    1
#define TYPE_END    0x7f
#define END_OF_PATH 0xff

typedef void node_words(struct words *words, struct reader *r);

static void
pci(struct words *words, struct reader *r)
{
	unsigned function = read_u8(r);

	words_add(words, "Pci(0x%x,0x%x)", read_u8(r), function);
}

static void
memory_mapped(struct words *words, struct reader *r)
{
	unsigned type = read_le32(r);
	unsigned long long start = read_le64(r);

	words_add(words, "MemoryMapped(0x%x,0x%llx,0x%llx)", type, start,
		  (unsigned long long)read_le64(r));
}

static void
vendor(struct words *words, struct reader *r, const char *name)
{
	words_add(words, "%s(", name);
	words_add_guid(words, read_bytes(r, GUID_BYTES));
	if (r->left > 0) {
		words_add(words, ",");
		words_add_hex(words, read_bytes(r, r->left), HEX_MAX);
	}
	words_add(words, ")");
}

static void
vendor_hardware(struct words *words, struct reader *r)
{
	vendor(words, r, "VenHw");
}

static void
vendor_messaging(struct words *words, struct reader *r)
{
	vendor(words, r, "VenMsg");
}

static void
vendor_media(struct words *words, struct reader *r)
{
	vendor(words, r, "VenMedia");
}

static void
controller(struct words *words, struct reader *r)
{
	words_add(words, "Ctrl(0x%x)", read_le32(r));
}

static void
acpi(struct words *words, struct reader *r)
{
	unsigned id = read_le32(r), unit = read_le32(r);

	if (id == (PCI_ROOT << 16 | EISA_PNP))
		words_add(words, "PciRoot(0x%x)", unit);
	else if (id == (PCIE_ROOT << 16 | EISA_PNP))
		words_add(words, "PcieRoot(0x%x)", unit);
	else if ((id & 0xffff) == EISA_PNP)
		words_add(words, "Acpi(PNP%04X,0x%x)", id >> 16, unit);
	else
		words_add(words, "Acpi(0x%08x,0x%x)", id, unit);
}

static void
scsi(struct words *words, struct reader *r)
{
	unsigned target = read_le16(r);

	words_add(words, "Scsi(0x%x,0x%x)", target, read_le16(r));
}

static void
usb(struct words *words, struct reader *r)
{
	unsigned port = read_u8(r);

	words_add(words, "USB(0x%x,0x%x)", port, read_u8(r));
}

static void
mac(struct words *words, struct reader *r)
{
	struct bytes address = read_bytes(r, MAC_FIELD);

	if (address.size == MAC_FIELD)
		address.size = MAC_SIZE;
	words_add(words, "MAC(");
	words_add_hex(words, address, MAC_SIZE);
	words_add(words, ",0x%x)", read_u8(r));
}

static void
sata(struct words *words, struct reader *r)
{
	unsigned port = read_le16(r), multiplier = read_le16(r);

	words_add(words, "Sata(0x%x,0x%x,0x%x)", port, multiplier, read_le16(r));
}

static void
nvme(struct words *words, struct reader *r)
{
	words_add(words, "NVMe(0x%x,", read_le32(r));
	words_add_hex(words, read_bytes(r, 8), 8);
	words_add(words, ")");
}

static void
uri(struct words *words, struct reader *r)
{
	words_add(words, "Uri(");
	words_add_text(words, read_bytes(r, r->left));
	words_add(words, ")");
}

/* The addresses are the node's, and of whoever boots over a network: name the protocol alone. */
static void
ipv4(struct words *words, struct reader *r)
{
	read_bytes(r, 4);
	words_add(words, "IPv4(%u.", read_u8(r));
	words_add(words, "%u.", read_u8(r));
	words_add(words, "%u.", read_u8(r));
	words_add(words, "%u)", read_u8(r));
	read_bytes(r, r->left);
}

static void
ipv6(struct words *words, struct reader *r)
{
	read_bytes(r, 16);
	words_add(words, "IPv6(");
	words_add_hex(words, read_bytes(r, 16), 16);
	words_add(words, ")");
	read_bytes(r, r->left);
}

static void
hard_drive(struct words *words, struct reader *r)
{
	unsigned partition = read_le32(r);
	unsigned long long start = read_le64(r), size = read_le64(r);
	struct bytes signature = read_bytes(r, GUID_BYTES);

	read_u8(r); /* MBRType */
	unsigned type = read_u8(r);
	words_add(words, "HD(%u,", partition);
	if (type == GPT) {
		char text[GUID_TEXT];
		guid_text(signature, text);
		words_add(words, "GPT,%s", text);
	} else if (type == MBR) {
		struct reader id = reader_of(signature);
		words_add(words, "MBR,0x%08x", read_le32(&id));
	} else {
		words_add(words, "%u", type);
	}
	words_add(words, ",0x%llx,0x%llx)", start, size);
}

static void
cdrom(struct words *words, struct reader *r)
{
	words_add(words, "CDROM(0x%x)", read_le32(r));
	read_bytes(r, 16);
}

static void
file_path(struct words *words, struct reader *r)
{
	words_add_utf16(words, read_bytes(r, r->left));
}

static void
media_protocol(struct words *words, struct reader *r)
{
	vendor(words, r, "Media");
}

static void
firmware_file(struct words *words, struct reader *r)
{
	vendor(words, r, "FvFile");
}

static void
firmware_volume(struct words *words, struct reader *r)
{
	vendor(words, r, "Fv");
}

static void
relative_offset(struct words *words, struct reader *r)
{
	read_le32(r);
	unsigned long long start = read_le64(r);

	words_add(words, "Offset(0x%llx,0x%llx)", start, (unsigned long long)read_le64(r));
}

static void
bios_boot(struct words *words, struct reader *r)
{
	words_add(words, "BBS(0x%x,", read_le16(r));
	read_le16(r);
	if (!words_add_if_text(words, read_bytes(r, r->left)))
		words_add(words, "?");
	words_add(words, ")");
}

static const struct {
	uint8_t type;
	uint8_t subtype;
	node_words *words;
} NODES[] = {
	/* hardware, 10.3.2 */
	{1, 1, pci},
	{1, 3, memory_mapped},
	{1, 4, vendor_hardware},
	{1, 5, controller},
	/* ACPI, 10.3.3 */
	{2, 1, acpi},
	/* messaging, 10.3.4 */
	{3, 2, scsi},
	{3, 5, usb},
	{3, 10, vendor_messaging},
	{3, 11, mac},
	{3, 12, ipv4},
	{3, 13, ipv6},
	{3, 18, sata},
	{3, 23, nvme},
	{3, 24, uri},
	/* media, 10.3.5 */
	{4, 1, hard_drive},
	{4, 2, cdrom},
	{4, 3, vendor_media},
	{4, 4, file_path},
	{4, 5, media_protocol},
	{4, 6, firmware_file},
	{4, 7, firmware_volume},
	{4, 8, relative_offset},
	/* BIOS boot specification, 10.3.6 */
	{5, 1, bios_boot},
};

static bool
add_node(struct words *words, uint8_t type, uint8_t subtype, struct bytes node)
{
	struct reader r = reader_of(node);

	for (size_t i = 0; i < sizeof(NODES) / sizeof(*NODES); i++)
		if (NODES[i].type == type && NODES[i].subtype == subtype) {
			NODES[i].words(words, &r);
			return reader_finished(&r);
		}
	words_add(words, "Path(%u,%u)", type, subtype);
	return true;
}

void
words_add_device_path(struct words *words, struct bytes path)
{
	struct reader r = reader_of(path);
	bool first = true;

	for (unsigned i = 0; i < NODES_MAX && r.left > 0; i++) {
		uint8_t type = read_u8(&r), subtype = read_u8(&r);
		uint16_t size = read_le16(&r);
		struct bytes node = read_bytes(&r, size >= 4 ? size - 4U : r.left + 1);

		if (r.failed)
			break;
		if (type == TYPE_END && subtype == END_OF_PATH)
			return;
		if (!first)
			words_add(words, type == TYPE_END ? "," : "/");
		/* what follows the end of one of several paths follows a comma */
		first = type == TYPE_END;
		if (type != TYPE_END && !add_node(words, type, subtype, node))
			words_add(words, "?");
	}
	if (r.left > 0 || r.failed)
		words_add(words, "/?");
}
