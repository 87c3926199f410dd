#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Holds policy/ to the published implementation of Cedar on cases that are drawn. Needs node, and the package
# @cedar-policy/cedar-wasm 4.12: CEDAR_WASM names it, or npm fetches it into FOLDER. Exit status 77: they are not here.
#
#   run.sh CEDAR_LINES FOLDER FROM COUNT     seeds FROM, FROM + 1, ...
set -uo pipefail

lines=$1 folder=$2 from=$3 count=$4
here=$(cd "$(dirname "$0")" && pwd)
package=@cedar-policy/cedar-wasm

if ! command -v node >/dev/null; then
	echo "skipped: no node"
	exit 77
fi
if [ -z "${CEDAR_WASM:-}" ]; then
	export CEDAR_WASM=$folder/node_modules/$package/nodejs
	if [ ! -d "$CEDAR_WASM" ] && command -v npm >/dev/null; then
		mkdir -p "$folder"
		timeout 60 npm install --silent --no-audit --no-fund --prefix "$folder" "$package@4.12.0" >/dev/null 2>&1
	fi
	if [ ! -d "$CEDAR_WASM" ]; then
		echo "skipped: no $package"
		exit 77
	fi
fi
node "$here/oracle.mjs" "$from" "$count" | "$lines"
