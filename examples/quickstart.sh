#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Postern's story in one run: a broker, a machine (swtpm stands in for its TPM), a secret; another kernel; a revocation.
#
#   examples/quickstart.sh
#
# On a Debian 12, as root or with sudo. Installs what is missing, builds (BUILD, default: build), and then works in a
# temporary folder that it removes. Every step prints the command, and what came of it is checked: it fails loudly if
# any does not go as told. BUILD=FOLDER names another build folder; KEEP=1 leaves everything running for you to play with.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-$root/build}
daemon= tpm= folder=

# ---- the stage ----

clean_up() {
	local status=$?
	trap - EXIT INT TERM
	if [ $status != 0 ]; then
		echo "quickstart: FAILED (status $status)" >&2
		[ ! -s "$folder/posternd.log" ] || tail "$folder/posternd.log" >&2
	fi
	for process in $daemon $tpm; do kill "$process" 2>/dev/null && wait "$process" 2>/dev/null || true; done
	[ -z "$folder" ] || rm -rf "$folder"
	exit $status
}
trap clean_up EXIT
trap 'exit 130' INT TERM

install_missing() {
	local missing=() package sudo=
	for package in gcc libc6-dev meson ninja-build pkg-config libssl-dev libsodium-dev liblmdb-dev libmicrohttpd-dev \
		libjansson-dev libcurl4-openssl-dev libtss2-dev swtpm swtpm-tools tpm2-tools libtss2-tcti-swtpm0; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing+=("$package")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	[ "$(id -u)" = 0 ] || sudo=sudo
	echo "Installing ${missing[*]}"
	$sudo apt-get update -qq >/dev/null 2>&1 || true
	if ! $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" \
		>"$folder/apt.log" 2>&1 </dev/null; then
		tail -n 5 "$folder/apt.log" >&2
		echo "quickstart: could not install ${missing[*]}: install them and try again" >&2
		exit 1
	fi
}

build_programs() {
	echo "Building in $build"
	{
		[ -f "$build/build.ninja" ] || meson setup "$build" "$root" -Dtests=false
		ninja -C "$build" broker/posternd broker/command/postern
	} >"$folder/build.log" 2>&1 || { tail -n 30 "$folder/build.log" >&2; exit 1; }
}

bold= plain=
[ ! -t 1 ] || bold=$'\033[1m' plain=$'\033[0m'
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }

# step STATUS PATTERN COMMAND...: shows and runs it; the status must be that, and the output hold the pattern ("": any).
# "guest" stands for postern with the machine's own configuration and TPM.
step() {
	local want=$1 pattern=$2 status=0 shown
	shift 2
	shown="operator\$ ${*//$folder\//}"
	[ "$1" != guest ] || shown="machine\$ postern ${*:2}"
	[ "$1" != tpm2_pcrextend ] || shown="machine\$ $*"
	printf '  %s\n' "${shown//$root\//}"
	"$@" >"$folder/output" 2>&1 </dev/null || status=$?
	sed -e 's/^/    /' -e "s|$folder/||g" "$folder/output"
	[ ! -s "$folder/output" ] || [ -z "$(tail -c 1 "$folder/output")" ] || echo
	if [ $status != "$want" ] || { [ -n "$pattern" ] && ! grep -qE -e "$pattern" "$folder/output"; }; then
		echo "quickstart: that ended with status $status and wanted $want, with '$pattern' in what it says" >&2
		exit 1
	fi
}

# await WHAT COMMAND...: until the command succeeds, for at most ten seconds.
await() {
	local what=$1
	shift
	for _ in $(seq 200); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.05
	done
	echo "quickstart: $what did not come up" >&2
	exit 1
}

tpm_make() {
	mkdir -p "$folder/tpm" "$folder/ca"
	printf '%s\n' "statedir=$folder/ca" "signingkey=$folder/ca/signkey.pem" "issuercert=$folder/ca/issuercert.pem" \
		"certserial=$folder/ca/certserial" >"$folder/localca.conf"
	printf '%s\n' "--platform-manufacturer Example" "--platform-version 1" "--platform-model quickstart" \
		>"$folder/localca.options"
	printf '%s\n' "create_certs_tool=$(command -v swtpm_localca)" "create_certs_tool_config=$folder/localca.conf" \
		"create_certs_tool_options=$folder/localca.options" "active_pcr_banks=sha256" >"$folder/setup.conf"
	swtpm_setup --tpm2 --tpmstate "$folder/tpm" --config "$folder/setup.conf" --createek --create-ek-cert \
		--pcr-banks sha256 >"$folder/setup.log" 2>&1 || { tail "$folder/setup.log" >&2; exit 1; }
}
tpm_start() {
	swtpm socket --tpm2 --tpmstate dir="$folder/tpm" --server type=unixio,path="$folder/swtpm" \
		--ctrl type=unixio,path="$folder/swtpm.ctrl" --flags not-need-init,startup-clear >"$folder/swtpm.log" 2>&1 &
	tpm=$!
	await "the software TPM" test -S "$folder/swtpm"
	tpm2_pcrextend "8:sha256=$(printf 'the good kernel' | sha256sum | cut -d ' ' -f 1)" # as its boot loader would
}
tpm_reboot() {
	tpm2_shutdown -c
	kill "$tpm" && wait "$tpm" 2>/dev/null || true
	rm -f "$folder/swtpm" "$folder/swtpm.ctrl"
	tpm_start
}

folder=$(mktemp -d "${TMPDIR:-/tmp}/postern-quickstart-XXXXXX")
install_missing
build_programs
export PATH=$build/broker:$build/broker/command:$PATH
port=$((20000 + RANDOM % 20000))
while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
export TPM2TOOLS_TCTI="swtpm:path=$folder/swtpm" HOME=$folder/operator
tpm_make
tpm_start
mkdir -p "$HOME/.config"

# The guest's side: what stands in /etc/postern/guest.conf of its image, and its TPM.
guest() {
	local command=$1
	shift
	postern "$command" --config "$folder/broker/guest.conf" --tcti "$TPM2TOOLS_TCTI" --event-log none "$@"
}

# ---- the story ----

say "1. A broker: its keys, its sealed store, a certificate, and the first operator."
step 0 "A new broker" postern init --config-dir "$folder/broker" --state "$folder/state" --listen "127.0.0.1:$port" \
	--operator alice --no-passphrase
posternd --config "$folder/broker/posternd.conf" 2>"$folder/posternd.log" &
daemon=$!
ln -s "$folder/broker" "$HOME/.config/postern" # where an operator's postern looks
await "the broker" postern status
step 0 "revision" postern status

say "2. The operator trusts the maker of this machine's TPM: a CA made for this story."
step 0 "" postern anchor add "$folder/ca/swtpm-localca-rootca-cert.pem"
step 0 "" postern anchor add "$folder/ca/issuercert.pem"

say "3. The machine makes itself known. That alone lets it ask for nothing."
step 0 "pending" guest enroll
step 77 "" guest fetch db/prod
step 0 "m-[0-9a-f]{16}" postern machine pending
machine=$(grep -oE 'm-[0-9a-f]{16}' "$folder/output" | head -n 1)

say "4. The operator looks at what its TPM proves, and lets it in, to the group db."
step 0 "" postern machine admit "$machine" --name vm1 --group db

say "5. What it has booted becomes a baseline. (Pin PCR 4, 7, 11 and 12 of a real image; this one only has 8.)"
step 0 "" postern baseline capture image-1 --machine vm1 --pcrs 8

say "6. A secret goes in, sealed on the operator's side. Nobody can read it back, the operator neither."
printf 'correct horse battery staple' >"$folder/password"
step 0 "" postern secret put db/prod --public username=app "password=@$folder/password"

say "7. A policy says who gets it: machines of the group db, what lies under db/."
step 0 "" postern policy apply "$root/examples/policies/db.cedar"

say "8. The machine quotes what it booted, and gets the secret wrapped to a key that only it has."
step 0 "^correct horse battery staple$" guest fetch db/prod --field password

say "9. Another kernel: something is measured into PCR 8. The machine is told one word; the operator is told all."
step 0 "" tpm2_pcrextend 8:sha256=2fd4e1c67a2d28fced849ee1bb76e7391b93eb120000000000000000deadbeef
step 77 "denied" guest fetch db/prod --field password
step 0 "pcr 8: [0-9a-f]{64}" postern explain vm1 --count 1

say "10. The machine boots the good image again."
tpm_reboot
step 0 "^correct horse battery staple$" guest fetch db/prod --field password

say "11. The TPM maker's CA key leaked. From the moment this answers, nothing under it is released."
step 0 "" postern revoke ek-ca "$folder/ca/issuercert.pem" --reason "the CA's key leaked"
step 77 "denied" guest fetch db/prod --field password
step 0 "revo" postern explain vm1 --count 1

say "12. All of that is in the audit log: hash-chained, its head signed, every act verified against its operator's key."
step 0 "" postern audit verify
kill -0 "$daemon" 2>/dev/null || { echo "quickstart: the broker is gone" >&2; exit 1; }
if grep -q 'correct horse' "$folder/posternd.log" || grep -rq 'correct horse' "$folder/state"; then
	echo "quickstart: the secret stands somewhere in clear" >&2
	exit 1
fi

printf '\nquickstart: all as told.\n'
if [ -n "${KEEP:-}" ]; then
	printf 'Still running, until you press Enter. In another shell:\n'
	printf '  export PATH=%s/broker/command:$PATH HOME=%s TPM2TOOLS_TCTI=%s\n' "$build" "$HOME" "$TPM2TOOLS_TCTI"
	read -r
fi
