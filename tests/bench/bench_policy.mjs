// SPDX-License-Identifier: Apache-2.0
// The published implementation (cedar-wasm) on what bench_policy wrote: a world in JSON a line.
// Answers a line for each: decisions (1 allowed, 0 denied), p50 and p99 in us, parse MB/s,
// validation in ms. Ends with 77 where the package is not there.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import v8 from 'node:v8';

v8.setFlagsFromString('--no-turbo-inline-js-wasm-calls'); // node 20 aborts now and then with it
const require = createRequire(process.cwd() + '/');
let cedar;
try {
  cedar = require(process.env.CEDAR_WASM ?? '@cedar-policy/cedar-wasm/nodejs');
} catch {
  process.exit(77);
}
const now = () => Number(process.hrtime.bigint()) / 1000;
const at = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];

function timed(times, act) {
  const all = [];
  for (let i = 0; i < times; i++) {
    const start = now();
    act(i);
    all.push(now() - start);
  }
  return all.sort((a, b) => a - b);
}

for (const line of readFileSync(process.argv[2], 'utf8').trim().split('\n')) {
  const { policies, schema, requests } = JSON.parse(line);
  const set = { staticPolicies: policies };
  const parsed = cedar.preparsePolicySet('set', set);
  if (parsed.type !== 'success') throw new Error(JSON.stringify(parsed));
  const decide = (request) => cedar.statefulIsAuthorized({ ...request, preparsedPolicySetId: 'set' });
  let decisions = '';
  for (const request of requests) {
    const answer = decide(request);
    if (answer.type !== 'success') throw new Error(JSON.stringify(answer));
    decisions += answer.response.decision === 'allow' ? '1' : '0';
  }
  const decided = timed(2000, (i) => decide(requests[i % requests.length]));
  const parse = at(timed(20, () => cedar.checkParsePolicySet(set)), 0.5);
  let valid = true;
  const validated = timed(8, () => {
    const answer = cedar.validate({ schema, policies: set, validationSettings: { mode: 'strict' } });
    valid = valid && answer.type === 'success' && answer.validationErrors.length === 0;
  });
  console.log(decisions, at(decided, 0.5).toFixed(2), at(decided, 0.99).toFixed(2),
    (policies.length / parse).toFixed(3), (at(validated, 0.5) / 1000).toFixed(3), valid ? 1 : 0);
}
