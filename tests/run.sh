#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds Postern and runs every test: see --help.
set -euo pipefail

usage() {
	cat <<'END'
usage: tests/run.sh [--clang] [--sanitize] [--quick] [--slow] [--no-install]

Builds Postern in a build folder and runs unit tests, fuzz corpora, the tree's rules and the end-to-end stories. Made for
Debian 12, as root or with sudo: what is missing is installed with apt. Ends with "N passed, N failed, N skipped"; the
status is not 0 if anything failed or nothing ran.

  --clang       build with clang (the fuzz targets are then libFuzzer programs too)
  --sanitize    AddressSanitizer, UndefinedBehaviorSanitizer and leak checks; any finding fails
  --quick       without the stories
  --slow        also boots whole machines in QEMU, without KVM, for two minutes or three
  --no-install  never install anything

  BUILD           the build folder (default: build, build-clang, build-sanitize, build-clang-sanitize)
  POSTERN_SHARED  folder with corpora that some tests want (default: ../shared); without it they are skipped
  POSTERN_KERNEL  the kernel that --slow boots (default: one of /boot, else Debian's, fetched and not installed)
  STORIES         arguments for pytest in place of all stories, for example "-k replay"
END
}

compiler=gcc sanitize= quick= slow= install=yes
for argument in "$@"; do
	case $argument in
	--clang) compiler=clang ;;
	--sanitize) sanitize=yes ;;
	--quick) quick=yes ;;
	--slow) slow=yes ;;
	--no-install) install= ;;
	--help | -h) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
done

root=$(cd "$(dirname "$0")/.." && pwd)
name=build
[ "$compiler" = gcc ] || name+=-$compiler
[ -z "$sanitize" ] || name+=-sanitize
build=${BUILD:-$root/$name}
python=/usr/bin/python3 # Debian's, which has Debian's modules

packages="$compiler libc6-dev meson ninja-build pkg-config libssl-dev libsodium-dev liblmdb-dev libmicrohttpd-dev
	libjansson-dev libcurl4-openssl-dev libtss2-dev libcmocka-dev libtss2-tcti-swtpm0 swtpm swtpm-tools tpm2-tools valgrind
	python3 python3-pytest python3-cryptography python3-lmdb"
[ -z "$slow" ] || packages+=" qemu-system-x86 ovmf systemd-boot-efi busybox-static sbsigntool binutils cpio openssl"
[ "$compiler" = gcc ] || packages+=" libclang-rt-dev llvm" # sanitizers and fuzzers, and names in what they say

install_missing() {
	local missing=() package sudo=
	for package in $packages; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing+=("$package")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	[ "$(id -u)" = 0 ] || sudo=sudo
	if [ -z "$install" ] || { [ -n "$sudo" ] && ! command -v sudo >/dev/null; }; then
		echo "tests/run.sh: please install: ${missing[*]}" >&2
		exit 1
	fi
	echo "tests/run.sh: installing ${missing[*]}" >&2
	$sudo apt-get update -qq >/dev/null 2>&1 || true
	# The confirming environment variable must reach apt through sudo.
	if ! $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
		"${missing[@]}" >"$log" 2>&1 </dev/null; then
		tail -n 5 "$log" >&2
		echo "tests/run.sh: could not install ${missing[*]}: install them and try again" >&2
		exit 1
	fi
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
if command -v dpkg-query >/dev/null; then
	install_missing
else
	echo "tests/run.sh: not a Debian: I assume that what DEB calls $packages is here" >&2
fi

# Values of every size in locked memory: more than an ordinary user may lock.
if [ "$(id -u)" != 0 ] && [ "$(ulimit -l)" != unlimited ]; then
	sudo -n prlimit --pid $$ --memlock=unlimited 2>/dev/null ||
		echo "tests/run.sh: only $(ulimit -l) KiB can be locked in memory: tests of the largest values are skipped" >&2
fi

shared=${POSTERN_SHARED:-$root/../shared}
if [ -d "$shared" ]; then
	shared=$(cd "$shared" && pwd)
else
	echo "tests/run.sh: no folder $shared: tests that want its corpora are skipped" >&2
	shared=
fi

options=(-Dshared="$shared" -Dtests=true)
if [ -n "$sanitize" ]; then
	options+=(-Db_sanitize=address,undefined -Db_lundef=false)
fi
build_failed() {
	tail -n 60 "$log" >&2
	echo "tests/run.sh: the build failed" >&2
	echo "0 passed, 1 failed, 0 skipped"
	exit 1
}
if [ -f "$build/build.ninja" ]; then
	meson configure "$build" "${options[@]}" >"$log" 2>&1 || build_failed
else
	CC=$compiler meson setup "$build" "$root" "${options[@]}" >"$log" 2>&1 || build_failed
fi
ninja -C "$build" >"$log" 2>&1 || build_failed
grep -i 'warning:' "$log" >&2 || true

export POSTERN_SHARED=$shared POSTERN_BUILD=$build POSTERN_SANITIZED=$sanitize
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0:allocator_may_return_null=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1:halt_on_error=1}

results=("$build/meson-logs/testlog.json")
rm -f "${results[0]}" "$build/stories.xml" "$build/slow.xml"
meson test -C "$build" --no-rebuild --print-errorlogs || true
if [ -z "$quick" ]; then
	results+=("$build/stories.xml")
	# shellcheck disable=SC2086 # several arguments may stand in STORIES
	(cd "$root/tests/stories" && "$python" -B -m pytest -p no:cacheprovider --junitxml="$build/stories.xml" \
		-q -ra ${STORIES:-}) || true
fi
if [ -n "$slow" ]; then
	results+=("$build/slow.xml")
	(cd "$root/tests/slow" && "$python" -B -m pytest -p no:cacheprovider --junitxml="$build/slow.xml" -q -ra) || true
fi
"$python" -B "$root/tests/count.py" "${results[@]}"
