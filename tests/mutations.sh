#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Do the stories notice when a check is gone? In a copy of the tree, takes out one check after another, builds, and expects
# the story that is about it to fail. Run by hand (some minutes): tests/mutations.sh [WORD], only those whose name has WORD.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/tree"
(cd "$root" && tar -c --exclude=./.git --exclude='./build*' .) | tar -x -C "$folder/tree"
meson setup "$folder/build" "$folder/tree" -Dwerror=false >/dev/null
ninja -C "$folder/build" >/dev/null

survived=0 tried=0
story() { (cd "$folder/tree/tests/stories" && POSTERN_BUILD=$folder/build /usr/bin/python3 -B -m pytest -p no:cacheprovider -q -x "$1" -k "$2"); }
unit() { meson test -C "$folder/build" --no-rebuild "$1"; }

# mutation NAME FILE PERL COMMAND...: PERL edits FILE, and COMMAND has to fail then, having succeeded before.
mutation() {
	local name=$1 file=$folder/tree/$2 edit=$3 verdict
	shift 3
	[[ $name == *"${only:-}"* ]] || return 0
	tried=$((tried + 1))
	cp "$file" "$folder/kept"
	if ! "$@" >"$folder/log" 2>&1; then
		verdict="fails already: $*"
	elif perl -0pi -e "$edit" "$file" && cmp -s "$file" "$folder/kept"; then
		verdict="not there to take out: $edit"
	elif ! ninja -C "$folder/build" >"$folder/log" 2>&1; then
		verdict="does not build"
	elif "$@" >"$folder/log" 2>&1; then
		verdict="SURVIVED: $*"
	else
		verdict=noticed
	fi
	[ "$verdict" = noticed ] || survived=$((survived + 1))
	printf '%-40s %s\n' "$name" "$verdict"
	cp "$folder/kept" "$file"
	ninja -C "$folder/build" >/dev/null
}

only=${1:-}
keeper=broker/keeper
mutation "the destroyer's exclusive lock" $keeper/operations.c 's/(acts?) \|\| takes_away\([^)]*\)/$1/' unit keeper_secret_race
mutation "the secret that a release has read" $keeper/release_secrets.c 's/store_batch_expect\(batch, key, release->secret_revisions\[i\]\);/(void)key;/' \
	unit keeper_secret_race
mutation "a deleted version" $keeper/release_secrets.c 's/return "that version is deleted";/return NULL;/' story test_secrets.py whole_life
mutation "a version's deletion time" $keeper/secret_record.c 's/version->deletion <= now/false/' story test_secrets.py expires
mutation "a key of each value's own" $keeper/operations_values.c 's/store_batch_put_erasable/store_batch_put/' story test_secrets.py erased
mutation "what is the admin's alone" broker/command/default_policies.c 's/Action::\\"secret-put\\"/Action::\\"write\\"/' story test_secrets.py who_may
mutation "the act's exclusive lock" $keeper/operations.c 's/pthread_rwlock_wrlock/pthread_rwlock_rdlock/' unit keeper_race
mutation "the revision, before phase C" $keeper/release.c 's/keeper->trust\.revision != release->trust_revision \|\|/false ||/' \
	story test_acts.py in_the_middle
mutation "the operator's signature" $keeper/operations.c 's/if \(crypto_sign_verify_detached\(/if (false && crypto_sign_verify_detached(/' \
	story test_acts.py wrong_signature
mutation "acts' signatures at the start" $keeper/open.c 's/if \(crypto_sign_verify_detached\(/if (false && crypto_sign_verify_detached(/' \
	unit keeper_start
mutation "acts against the log at the start" $keeper/open.c 's/if \(newest > opening->trust\.revision\)/if (false)/' \
	unit keeper_start
mutation "the quote's signature" attest/signature.c 's/digest.size\) == 1;/digest.size) >= 0;/' story test_refusals.py "software and key"
mutation "the quote's transcript" attest/quotecheck.c 's/if \(bytes_equal\(message->extra_data, qualifying\)\)/if (true)/' \
	story test_refusals.py "recipient_key and not low"
mutation "the quote's selection" attest/quote.c 's/if \(bytes_equal\(selection, required\)\)/if (true)/' story test_refusals.py "over and bank"
mutation "the quote's signer" attest/quote.c 's/if \(!bytes_equal\(message->signer, signer\)\)/if (false)/' story test_refusals.py "owner"
mutation "the PCR digest" attest/quotecheck.c 's/if \(bytes_equal\(message->pcr_digest, seen\)\)/if (true)/' \
	story test_refusals.py "other and values"
mutation "the clock" attest/quote.c 's/if \(previous == NULL \|\| !clock_is_before\(seen, previous\)\)/if (true)/' \
	story test_refusals.py goes_back
mutation "what the stub passes over" attest/image/uki.c 's/image->stub < TAKEN\[i\]\.since/false/' \
	story test_baseline_predict.py "documents"
mutation "the order of sections in a file" attest/image/authenticode.c 's/at > first && /false && /' unit attest-image
mutation "the challenge's MAC" $keeper/challenge.c 's/if \(sodium_memcmp\(expected, seen\.data, sizeof\(expected\)\) != 0\)/if (false)/' \
	story test_refusals.py "one_bit and challenge"
mutation "one use of a challenge" $keeper/release.c 's/enum challenge_verdict verdict =\s*challenge_consume\([^;]*;/enum challenge_verdict verdict = CHALLENGE_GOOD;/' \
	story test_refusals.py request_works_once
mutation "errors in policies deny" $keeper/facts.c 's/if \(decision->failure_count > 0\)/if (false)/' story test_refusals.py error_in_a_policy
mutation "the activation proof" $keeper/enroll.c 's/sodium_memcmp\(proof, request->proof\.data, sizeof\(proof\)\) == 0/true/' \
	story test_refusals.py cannot_be_activated
mutation "revoked keys" $keeper/trust.c 's/if \(trust_revoked\(&trust->revoked_aks/if (false && trust_revoked(&trust->revoked_aks/' \
	story test_acts.py "good and ak"
mutation "revoked CAs" $keeper/trust.c 's/if \(trust_revoked\(&trust->revoked_cas/if (false && trust_revoked(&trust->revoked_cas/' \
	story test_release.py revocable
mutation "what CRLs revoked" $keeper/trust.c 's/if \(trust_revoked\(&trust->revoked_links/if (false && trust_revoked(&trust->revoked_links/' \
	unit keeper_crl
mutation "a CRL that comes late" $keeper/enroll_record.c 's/if \(!trust_revoked\(&trust->revoked_links/if (true || !trust_revoked(&trust->revoked_links/' \
	unit keeper_crl
mutation "an older CRL" $keeper/acts_crl.c 's/if \(old && issued <=/if (false && old && issued <=/' unit keeper_crl
mutation "a revoked CA of a cloud" $keeper/enroll_record.c 's/\(appraisal->cloud == WIRE_VERIFIED && has_revoked_ca/(false \&\& has_revoked_ca/' \
	unit keeper_cloud
mutation "whose AK a cloud's key certified" attest/cloud.c 's/if \(!bytes_equal\(message\.name, wanted\)\)/if (false)/' unit keeper_cloud
mutation "for which enrolment it did" attest/cloud.c 's/if \(!bytes_equal\(message\.extra_data,/if (false \&\& !bytes_equal(message.extra_data,/' unit keeper_cloud
mutation "each group that is given" $keeper/operations_authorize.c 's/if \(resource == RESOURCE_NEW_MACHINE\)/if (false)/' \
	unit keeper_operators
mutation "an end that is put off" $keeper/acts.c 's/if \(operation_number\(request, FIELD_UNTIL, 0\) > [^;]*?\)\n/if (false)\n/' \
	unit keeper_operators
mutation "an act in doubt" $keeper/operations_acts.c 's/if \(durable != trust->store_revision && durable != 0\)/if (false)/' \
	unit keeper_failures
mutation "a disk that failed" $keeper/worker.c 's/if \(status == STORE_UNSURE\)/if (false)/' unit keeper_failures
mutation "a record's own name in its seal" store/body.c 's/(associate\(&[a-z.]+, \w+(?:\.\w+)?, )key/$1"x"/g' unit store-tamper
mutation "the digest of all records" store/digest.c 's/if \(sodium_memcmp\(digest, head->digest, DIGEST_SIZE\) != 0\)/if (false)/' \
	story test_store.py older
view=broker/command/eventlog_view.c
mutation "a log with which nothing was compared" $view 's/return \(measured & eventlog_view_checked\(view\)\) != 0;/return true;/' story test_eventlog_command.py nothing_compared
mutation "an unexplained PCR" $view 's/(verdict == ATTEST_PCR_UNEXPLAINED)(\)\s+return false;)/false$2/' \
	story test_eventlog_command.py another_value
mutation "banks that tell two stories" $view 's/if \(!first && \(one != proof/if (!first \&\& false \&\& (one != proof/' \
	story test_eventlog_command.py one_bank_alone
mutation "a log's texts for a terminal" broker/command/words.c 's/if \(!printable\(c\)\)/if (false)/' \
	story test_eventlog_command.py terminal_is_not
mutation "the TPM's count at unsealing" broker/command/host_tpm.c 's/purpose, key, witness/purpose, key, CONTROL_NO_WITNESS/' \
	story test_tpm_unseal.py older_store
mutation "what a key is sealed to" attest/attester/host_pcrs.c 's/pcrs->mask & 1U << pcr && !update/false \&\& !update/' \
	unit attester-host
mutation "the broker's word before sealing" broker/command/cmd_tpm.c 's/status = key_verify\(control, key\);/status = 0;/' \
	story test_tpm_unseal.py another_state
mutation "who listens for shares" broker/command/control.c 's/if \(!listener_trusted\(control->channel, path\)\)/if (!listener_trusted(control->channel, path) \&\& false)/' \
	story test_unseal.py whoever
mutation "no debugger of a command" broker/command/process.c 's/prctl\(PR_SET_DUMPABLE, 0, 0, 0, 0\)/prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)/' \
	story test_unseal.py looked_into
mutation "no core dump of a command" broker/command/process.c 's/if \(setrlimit\(RLIMIT_CORE, &none\) != 0/if (none.rlim_cur != 0/' \
	story test_unseal.py looked_into
mutation "the TPM stack's memory" broker/command/host_tpm.c 's/MCL_CURRENT \| MCL_FUTURE \| MCL_ONFAULT\) != 0/0) != 0/' \
	story test_tpm_unseal.py stack
mutation "a backup over another file" broker/command/file.c 's/to, RENAME_NOREPLACE/to, 0/' \
	story test_backup.py meanwhile

echo "$tried tried, $survived not noticed"
[ "$tried" -gt 0 ] && [ "$survived" = 0 ]
