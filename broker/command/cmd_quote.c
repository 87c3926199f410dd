/* SPDX-License-Identifier: Apache-2.0 */
/* postern quote verify: anybody's quote, judged and told in words. */
#include "commands.h"
#include "encode.h"
#include "file.h"
#include "output.h"
#include "pcr_file.h"
#include "quote_out.h"

#include <string.h>

#define NOT_VERIFIED   1
#define FILE_MAX       16384 /* bytes of a message or a signature; the verifier takes far less */
#define QUALIFYING_MAX 64    /* TPM2B_DATA of a TPM with SHA-512 */

/* clang-format off: these lines are as wide as they will be read. */
const char help_quote_verify[] =
	"postern quote verify --ak FILE --message FILE --signature FILE [--pcrs FILE]\n"
	"                     [--qualifying HEX] [--json]\n"
	"\n"
	"Verifies a TPM's quote, made for anybody: that this key signed it, for this question, "
	"over "
	"these\n"
	"PCR values. Every field is told in words, then every check, then what a quote leaves "
	"open. "
	"It needs\n"
	"no broker and no TPM.\n"
	"\n"
	"  --ak FILE          the key: TPM2B_PUBLIC, TPMT_PUBLIC, or a public key in PEM or DER. "
	"The first\n"
	"                     two say whether the key is restricted and fixed to a TPM, which is "
	"checked;\n"
	"                     ECDSA on P-256 or P-384, RSASSA or RSAPSS of 2048 to 4096 bits\n"
	"  --message FILE     what was signed: TPMS_ATTEST or TPM2B_ATTEST\n"
	"  --signature FILE   TPMT_SIGNATURE: it says its algorithm and hash\n"
	"  --pcrs FILE        the values: JSON {\"sha256\": {\"0\": \"<hex>\", ...}}, the file "
	"that `tpm2_quote -o`\n"
	"                     writes, or what `tpm2_pcrread` prints. Without it only their digest "
	"is known\n"
	"  --qualifying HEX   the nonce that was to be signed, all of it. Without it an old quote "
	"passes too\n"
	"  --json             everything as JSON\n"
	"\n"
	"Refused whatever the signature says: SHA-1 banks and signatures, several banks in one "
	"quote, none,\n"
	"keys that are not restricted. Exit status: 0 verified; 1 not, and the check that failed "
	"is "
	"named;\n"
	"65 a file does not parse; 66 there is no such file.\n"
	"\n"
	"Example:\n"
	"  tpm2_quote -c ak.ctx -l sha256:0,1,2,3,4,5,6,7 -q c0ffee -m quote.msg -s quote.sig -o "
	"quote.pcrs\n"
	"  postern quote verify --ak ak.pub --message quote.msg --signature quote.sig \\\n"
	"          --pcrs quote.pcrs --qualifying c0ffee\n";
/* clang-format on */

struct request {
	const char *ak;
	const char *message;
	const char *signature;
	const char *pcrs;
	const char *qualifying;
	bool json;
};

static int
qualifying_parse(const char *text, uint8_t ret_bytes[QUALIFYING_MAX], size_t *ret_size)
{
	size_t size = strlen(text) / 2;

	if (strlen(text) % 2 != 0 || size > QUALIFYING_MAX || !hex_decode(text, ret_bytes, size))
		return complain(EX_USAGE, "--qualifying: up to %d bytes in hex", QUALIFYING_MAX);
	*ret_size = size;
	return 0;
}

/* What could not be parsed, and in which file. */
static int
malformed_complain(const struct request *request, const struct attest_error *err)
{
	if (err->status == ATTEST_MEMORY)
		return complain(EX_SOFTWARE, "%s", err->message);
	if (strncmp(err->check, "ak.", 3) == 0)
		return complain(EX_DATAERR, "%s: %s", request->ak, err->message);
	if (strcmp(err->check, "quote.signature.parse") == 0)
		return complain(EX_DATAERR,
				"%s: %s. `tpm2_quote` writes one unless asked for -f plain",
				request->signature, err->message);
	return complain(EX_DATAERR, "%s: %s", request->message, err->message);
}

static int
view_show(const struct quote_view *view, bool json)
{
	if (!json) {
		quote_print(view);
		return 0;
	}
	auto_json *object = quote_json(view);
	return object != NULL ? output_json(object) : complain(EX_SOFTWARE, "out of memory");
}

static struct bytes
bytes_of(const struct file_text *file)
{
	return (struct bytes){(const uint8_t *)file->data, file->size};
}

static int
verify(const struct request *request, const struct bytes *qualifying, const struct pcr_file *pcrs)
{
	auto_file_text key = {.data = NULL};
	auto_file_text message = {.data = NULL};
	auto_file_text signature = {.data = NULL};
	struct quote_view view = {.qualifying = qualifying,
				  .pcrs = pcrs != NULL ? pcrs->pcrs : NULL};

	int status = file_read(request->ak, ATTEST_KEY_FILE_MAX, &key);
	if (status == 0)
		status = file_read(request->message, FILE_MAX, &message);
	if (status == 0)
		status = file_read(request->signature, FILE_MAX, &signature);
	if (status != 0)
		return status;
	const struct attest_inspect_input input = {.key = bytes_of(&key),
						   .message = bytes_of(&message),
						   .signature = bytes_of(&signature),
						   .qualifying = qualifying,
						   .pcrs = view.pcrs,
						   .pcrs_count = pcrs != NULL ? ATTEST_BANKS : 0};
	enum attest_status verdict = attest_inspect_quote(&input, &view.seen, &view.err);
	if (verdict == ATTEST_MALFORMED || verdict == ATTEST_LIMIT || verdict == ATTEST_MEMORY)
		return malformed_complain(request, &view.err);
	status = view_show(&view, request->json);
	if (status != 0)
		return status;
	return verdict == ATTEST_OK ? 0 : NOT_VERIFIED;
}

int
cmd_quote_verify(int argc, char **argv)
{
	struct request request = {.json = false};
	struct text_list positional;
	const struct option_rule rules[] = {{"--ak", OPTION_TEXT, &request.ak},
					    {"--message", OPTION_TEXT, &request.message},
					    {"--signature", OPTION_TEXT, &request.signature},
					    {"--pcrs", OPTION_TEXT, &request.pcrs},
					    {"--qualifying", OPTION_TEXT, &request.qualifying},
					    {"--json", OPTION_FLAG, &request.json}};
	uint8_t memory[QUALIFYING_MAX];
	struct bytes qualifying = {memory, 0};
	struct pcr_file pcrs;

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 0, 0, "") != 0)
		return EX_USAGE;
	if (request.ak == NULL || request.message == NULL || request.signature == NULL)
		return complain(EX_USAGE, "--ak, --message and --signature are needed");
	if (request.qualifying != NULL &&
	    qualifying_parse(request.qualifying, memory, &qualifying.size) != 0)
		return EX_USAGE;
	int status = request.pcrs != NULL ? pcr_file_read(request.pcrs, &pcrs) : 0;
	if (status != 0)
		return status;
	return verify(&request, request.qualifying != NULL ? &qualifying : NULL,
		      request.pcrs != NULL ? &pcrs : NULL);
}
