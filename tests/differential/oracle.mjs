#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Draws cases and writes each as a line of JSON with what the published implementation of Cedar makes of it; the
// program cedar_lines then holds policy/ to the same.
//
//   oracle.mjs FROM COUNT      seeds FROM, FROM + 1, ...
//
// CEDAR_WASM names the module, else it is found as @cedar-policy/cedar-wasm (4.12: validation has changed since).
// Exit status 77: it is not installed.
import { createRequire } from 'node:module';
import v8 from 'node:v8';
import { Case } from './generate.mjs';

// Node 20 aborts now and then when it inlines calls into WebAssembly.
v8.setFlagsFromString('--no-turbo-inline-js-wasm-calls');

// Cedar's longs have 64 bits and JSON in JavaScript has 53: larger ones travel as marked texts. The module calls the
// global JSON in both directions, so this stands before it is loaded.
const MARK = '\ue000';
const { parse, stringify } = JSON;
JSON.stringify = (value, replacer, space) => replacer ? stringify(value, replacer, space)
  : stringify(value, (_, v) => (typeof v === 'bigint' ? MARK + v + MARK : v), space)
    ?.replace(new RegExp(`"${MARK}(-?\\d+)${MARK}"`, 'g'), '$1');
JSON.parse = (text, reviver) => parse(text, reviver);

const require = createRequire(import.meta.url);
const name = process.env.CEDAR_WASM ?? '@cedar-policy/cedar-wasm/nodejs';
let cedar;
function load() {
  delete require.cache[require.resolve(name)];
  cedar = require(name);
}
try { load(); } catch { console.error(`skipped: no ${name}`); process.exit(77); }

function judge(drawn) {
  const { schema, set, entities } = drawn;
  const parsed = cedar.checkParsePolicySet(set);
  drawn.parses = parsed.type === 'success';
  drawn.schemaParses = cedar.checkParseSchema(schema).type === 'success';
  if (!drawn.parses) { drawn.requests = []; return drawn; }
  if (drawn.schemaParses) {
    const v = cedar.validate({ schema, policies: set, validationSettings: { mode: 'strict' } });
    drawn.valid = v.type === 'success' && v.validationErrors.length === 0;
    drawn.why = v.type === 'success' ? v.validationErrors.map((e) => `${e.policyId}: ${e.error.message}`) : ['refused'];
  }
  drawn.requests = drawn.requests.map((request) => {
    const answer = cedar.isAuthorized({ ...request, policies: set, entities });
    if (answer.type !== 'success') return { ...request, refused: answer.errors.map((e) => e.message) };
    const { decision, diagnostics } = answer.response;
    const conforms = drawn.schemaParses && cedar.isAuthorized({ ...request, policies: set, entities, schema, validateRequest: true }).type === 'success';
    return { ...request, decision, reason: [...diagnostics.reason].sort(), errors: diagnostics.errors.map((e) => e.policyId).sort(), conforms };
  });
  return drawn;
}

const [from, count] = process.argv.slice(2).map(Number);
for (let seed = from; seed < from + count; seed++) {
  const drawn = new Case(seed).draw();
  try {
    const line = JSON.stringify(judge(drawn)) + '\n';
    if (!process.stdout.write(line)) await new Promise((done) => process.stdout.once('drain', done));
  } catch (error) {
    // A trap, as for deep nesting: the instance is of no further use, and the case says nothing.
    console.error(`seed ${seed}: ${error.message}`);
    load();
  }
}
