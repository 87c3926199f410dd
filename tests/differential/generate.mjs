// SPDX-License-Identifier: Apache-2.0
// Draws cases for the differential test of policy/: a schema, entities, policies, templates with links, requests.
// What is drawn is mostly well-typed by the schema, and spoilt now and then: by an expression of another type, by an
// optional attribute without its guard, by text that is no policy. One seed gives one case, always the same.

export class Random {
  constructor(seed) { this.state = seed >>> 0; }
  next() { // mulberry32
    let t = (this.state = (this.state + 0x6d2b79f5) >>> 0);
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }
  below(n) { return Math.floor(this.next() * n); }
  chance(p) { return this.next() < p; }
  pick(list) { return list[this.below(list.length)]; }
}

const BOOL = { kind: 'Bool' }, LONG = { kind: 'Long' }, STRING = { kind: 'String' };
const EXTENSIONS = ['ipaddr', 'decimal', 'datetime', 'duration'].map((name) => ({ kind: 'extension', name }));
const [IP, DECIMAL, DATETIME, DURATION] = EXTENSIONS;
const NAMES = ['a', 'b', 'c', 'level', 'owner', 'if', 'in', 'has space', 'x"y', 'π', 'tags'];
const STRINGS = ['', 'a', 'b', 'ab', 'a*b', 'aab', 'π', '\u{1f600}', 'x\ny', '\\', '"', 'aaaaab', 'prod/db', '*'];
const LONGS = ['0', '1', '-1', '2', '7', '42', '9223372036854775807', '-9223372036854775808', '9223372036854775806', '1000000'];
const LITERALS = {
  ipaddr: ['10.0.0.1', '10.0.0.1/24', '10.0.0.0/24', '::1', 'ff02::1/16', '127.0.0.1', '192.168.0.0/16', '1:2::3/64', '224.0.0.1', 'F::AE'],
  decimal: ['0.0', '1.5', '-1.5', '922337203685477.5807', '-922337203685477.5808', '12.3456', '1.50'],
  datetime: ['2024-01-01', '2024-02-29T12:34:56Z', '1969-12-31T23:59:59.999Z', '2024-10-15T11:35:00.123+0530', '0001-01-01', '2026-11-21T00:00:00-0100'],
  duration: ['1h', '-1h', '1d2h3m4s5ms', '0ms', '-9223372036854775808ms', '10ms', '30d', '9223372036854775807ms', '1s'],
};
const BAD_LITERALS = {
  ipaddr: ['10.0.0.256', '10.0.0.1/33', '::1/129', '1.2.3', '010.0.0.1', '1::2::3', '10.0.0.1 ', ''],
  decimal: ['1', '1.', '.5', '1.23456', '922337203685477.5808', '+1.0', '1.0e1'],
  datetime: ['2023-02-29', '2024-1-1', '2024-01-01T00:00:00', '2024-01-01T24:00:00Z', '2024-01-01T00:00:00+05:30', '2024-01-01T00:00:00+2400', '24-01-01'],
  duration: ['1', '1x', '1h1h', '1m1h', '', '-', '1ms1s', '9223372036854775808ms', '1.5h'],
};
const CONSTRUCTOR = { ipaddr: 'ip', decimal: 'decimal', datetime: 'datetime', duration: 'duration' };

export const quote = (text) => '"' + [...text].map((c) => c === '"' || c === '\\' ? '\\' + c : c === '\n' ? '\\n' : c).join('') + '"';
const plain = (name) => /^[A-Za-z_]\w*$/.test(name) && !['if', 'in', 'is', 'has', 'like', 'true', 'false', 'then', 'else', '__cedar'].includes(name);
const key = (name) => (plain(name) ? name : quote(name));
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

export class Case {
  constructor(seed) {
    this.random = new Random(seed);
    this.seed = seed;
  }
  draw() {
    this.drawSchema();
    this.drawEntities();
    this.policies = [];
    this.envs = []; // what each policy was written for
    const count = 1 + this.random.below(5);
    for (let i = 0; i < count; i++) this.policies.push(this.policy(false));
    this.templates = {};
    this.links = [];
    if (this.random.chance(0.15)) this.drawTemplates();
    let text = this.policies.join(this.random.pick(['\n', '\n\n', ' ']));
    if (this.random.chance(0.12)) text = this.spoil(text);
    const requests = [];
    for (let i = 0; i < 3; i++) requests.push(this.request());
    if (this.random.chance(0.06)) this.schema = this.spoil(this.schema);
    if (this.random.chance(0.1)) this.spoilEntity();
    return { seed: this.seed, schema: this.schema, set: { staticPolicies: text, templates: this.templates, templateLinks: this.links },
      entities: this.entities, requests };
  }

  // ---- the schema ----
  type(depth) {
    const r = this.random;
    switch (r.below(depth > 0 ? 11 : 8)) {
      case 0: case 1: return LONG;
      case 2: return BOOL;
      case 3: case 4: return STRING;
      case 5: return { kind: 'entity', name: r.pick(this.types).name };
      case 6: case 7: return r.pick(EXTENSIONS);
      case 8: case 9: return { kind: 'set', element: this.type(depth - 1) };
      default: return this.record(depth - 1, 3);
    }
  }
  record(depth, most) {
    const fields = {};
    for (let i = this.random.below(most + 1); i > 0; i--)
      fields[this.random.pick(NAMES)] = { type: this.type(depth), required: this.random.chance(0.6) };
    return { kind: 'record', fields };
  }
  typeText(type) {
    switch (type.kind) {
      case 'set': return `Set<${this.typeText(type.element)}>`;
      case 'record': return `{ ${Object.entries(type.fields).map(([n, f]) => `${key(n)}${f.required ? '' : '?'}: ${this.typeText(f.type)}`).join(', ')} }`;
      case 'entity': case 'extension': return type.name;
      default: return type.kind;
    }
  }
  drawSchema() {
    const r = this.random;
    this.space = r.chance(0.25) ? r.pick(['N', 'A::B']) + '::' : '';
    this.types = ['User', 'Group', 'Doc', 'Folder'].slice(0, 2 + r.below(3)).map((name) => ({ name: this.space + name, short: name }));
    if (r.chance(0.2)) this.types.push({ name: this.space + 'Colour', short: 'Colour', choices: ['red', 'green'] });
    for (const type of this.types) {
      if (type.choices) { type.shape = { kind: 'record', fields: {} }; type.parents = []; continue; }
      type.shape = this.record(2, 4);
      type.parents = this.types.filter((t) => !t.choices && r.chance(0.35));
      if (r.chance(0.25)) type.tags = this.type(1);
    }
    this.actions = [{ id: 'all' }];
    for (const id of ['view', 'edit', 'do it'].slice(0, 1 + r.below(3))) {
      const sides = () => { const some = this.types.filter(() => r.chance(0.5)); return some.length ? some : [r.pick(this.types)]; };
      this.actions.push({ id, groups: r.chance(0.5) ? ['all'] : [], principals: sides(), resources: sides(), context: this.record(2, 4) });
    }
    const lines = [];
    for (const t of this.types) {
      if (t.choices) { lines.push(`entity ${t.short} enum [${t.choices.map(quote).join(', ')}];`); continue; }
      lines.push(`entity ${t.short}${t.parents.length ? ` in [${t.parents.map((p) => p.name).join(', ')}]` : ''} ${r.chance(0.3) ? '= ' : ''}${this.typeText(t.shape)}${t.tags ? ` tags ${this.typeText(t.tags)}` : ''};`);
    }
    for (const a of this.actions)
      lines.push(a.principals
        ? `action ${key(a.id)}${a.groups.length ? ` in [${a.groups.map(quote).join(', ')}]` : ''} appliesTo { principal: [${a.principals.map((t) => t.name)}], resource: [${a.resources.map((t) => t.name)}], context: ${this.typeText(a.context)} };`
        : `action ${key(a.id)};`);
    this.schema = this.space ? `namespace ${this.space.slice(0, -2)} {\n${lines.join('\n')}\n}\n` : lines.join('\n') + '\n';
  }

  // ---- entities and requests, in Cedar's JSON ----
  ids(type) { return type.choices ?? ['x', 'y', 'z z']; }
  typeNamed(name) { return this.types.find((t) => t.name === name); }
  uid(type) { return { type: type.name, id: this.random.pick(this.ids(type)) }; }
  value(type) {
    const r = this.random;
    switch (type.kind) {
      case 'Bool': return r.chance(0.5);
      case 'Long': { const n = r.pick(LONGS); return BigInt(n) === BigInt(Number(n)) && Number.isSafeInteger(Number(n)) ? Number(n) : BigInt(n); }
      case 'String': return r.pick(STRINGS);
      case 'entity': return { __entity: this.uid(this.typeNamed(type.name)) };
      case 'extension': return { __extn: { fn: CONSTRUCTOR[type.name], arg: r.pick(LITERALS[type.name]) } };
      case 'set': return Array.from({ length: r.below(4) }, () => this.value(type.element));
      default: {
        const object = {};
        for (const [name, field] of Object.entries(type.fields)) if (field.required || r.chance(0.5)) object[name] = this.value(field.type);
        return object;
      }
    }
  }
  drawEntities() {
    this.entities = [];
    const action = this.space + 'Action';
    for (const a of this.actions) this.entities.push({ uid: { type: action, id: a.id }, attrs: {}, parents: (a.groups ?? []).map((id) => ({ type: action, id })) });
    this.types.forEach((type, order) => this.ids(type).forEach((id, number) => {
      if (this.random.chance(0.25)) return;
      // Parents come later in the order of (type, id), so that there is no cycle.
      const parents = [];
      for (const parent of type.parents)
        this.ids(parent).forEach((pid, pnumber) => {
          const later = this.types.indexOf(parent) > order || (parent === type && pnumber > number);
          if (later && this.random.chance(0.4)) parents.push({ type: parent.name, id: pid });
        });
      const entity = { uid: { type: type.name, id }, attrs: this.value(type.shape), parents };
      if (type.tags) entity.tags = Object.fromEntries(['t', 'u'].filter(() => this.random.chance(0.5)).map((k) => [k, this.value(type.tags)]));
      this.entities.push(entity);
    }));
  }
  // One attribute, tag or parent that the schema does not foresee.
  spoilEntity() {
    const entity = this.random.pick(this.entities);
    switch (this.random.below(3)) {
      case 0: entity.attrs[this.random.pick(NAMES)] = this.value(this.type(1)); break;
      case 1: entity.tags = { t: this.value(this.type(1)) }; break;
      default: entity.parents.push(this.uid(this.random.pick(this.types)));
    }
  }
  request() {
    const env = { ...this.random.pick(this.envs) };
    if (this.random.chance(0.04)) env.principal = this.random.pick(this.types);
    return { principal: this.uid(env.principal), action: { type: this.space + 'Action', id: env.action.id },
      resource: this.uid(env.resource), context: this.value(env.context) };
  }

  // ---- policies ----
  entityText(uid) { return `${uid.type}::${quote(uid.id)}`; }
  scope(variable, types, slot) {
    const r = this.random;
    const type = r.pick(types);
    // Mostly what an entity of this type can be in.
    const other = r.chance(0.1) ? r.pick(this.types) : r.pick([type, ...type.parents]);
    const target = (t) => slot ?? this.entityText(this.uid(t));
    switch (r.below(slot ? 3 : 9)) {
      case 0: return `${variable} in ${target(other)}`;
      case 1: return `${variable} == ${target(type)}`;
      case 2: return slot ? `${variable} is ${type.name} in ${slot}` : `${variable} is ${type.name}`;
      case 3: return `${variable} is ${type.name} in ${target(other)}`;
      default: return variable;
    }
  }
  policy(template) {
    const r = this.random;
    this.action = r.pick(this.actions.filter((a) => a.principals));
    const action = (id) => `${this.space}Action::${quote(id)}`;
    this.env = { principal: r.pick(this.action.principals), resource: r.pick(this.action.resources), context: this.action.context };
    this.envs.push({ ...this.env, action: this.action });
    const slots = template ? r.pick([['?principal'], [null, '?resource'], ['?principal', '?resource']]) : [];
    const parts = [
      this.scope('principal', r.chance(0.95) ? [this.env.principal] : this.types, slots[0]),
      r.chance(0.02) ? 'action in []' : r.pick(['action', `action == ${action(this.action.id)}`, `action == ${action(this.action.id)}`, `action in ${action(this.action.groups[0] ?? this.action.id)}`, `action in [${action(this.action.id)}, ${action('all')}]`]),
      this.scope('resource', r.chance(0.95) ? [this.env.resource] : this.types, slots[1]),
    ];
    this.slots = slots;
    let text = `${r.chance(0.2) ? `@id(${quote(r.pick(STRINGS))})\n` : ''}${r.chance(0.6) ? 'permit' : 'forbid'} (${parts.join(', ')})`;
    for (let i = r.below(3); i > 0; i--) text += `\n${r.chance(0.75) ? 'when' : 'unless'} { ${this.expression(BOOL, 3)} }`;
    return text + ';';
  }
  drawTemplates() {
    const r = this.random;
    const id = 'template';
    this.templates[id] = this.policy(true);
    for (let i = r.below(3); i >= 0; i--) {
      const values = {};
      if (this.slots[0]) values['?principal'] = this.uid(r.pick(this.types));
      if (this.slots[1]) values['?resource'] = this.uid(r.pick(this.types));
      this.links.push({ templateId: id, newId: `link${i}`, values });
    }
  }

  // ---- expressions ----
  // Everything reachable from the request that is of `type`: text, and the guards that it needs.
  reach(type) {
    const found = [];
    const walk = (text, at, guards, depth) => {
      if (same(at, type)) found.push({ text, guards });
      if (depth === 0) return;
      const fields = at.kind === 'record' ? at.fields : at.kind === 'entity' ? this.typeNamed(at.name).shape.fields : {};
      for (const [name, field] of Object.entries(fields)) {
        const access = plain(name) && this.random.chance(0.8) ? `${text}.${name}` : `${text}[${quote(name)}]`;
        walk(access, field.type, field.required ? guards : [...guards, `${text} has ${key(name)}`], depth - 1);
      }
      const tags = at.kind === 'entity' && this.typeNamed(at.name).tags;
      if (tags) walk(`${text}.getTag("t")`, tags, [...guards, `${text}.hasTag("t")`], depth - 1);
    };
    walk('principal', { kind: 'entity', name: this.env.principal.name }, [], 2);
    walk('resource', { kind: 'entity', name: this.env.resource.name }, [], 2);
    walk('context', this.env.context, [], 3);
    return found;
  }
  literal(type, depth) {
    const r = this.random;
    switch (type.kind) {
      case 'Bool': return r.pick(['true', 'false']);
      case 'Long': return r.pick(LONGS);
      case 'String': return quote(r.pick(STRINGS));
      case 'entity': return this.entityText(this.uid(this.typeNamed(type.name)));
      case 'extension': return `${CONSTRUCTOR[type.name]}(${quote(r.pick((r.chance(0.02) ? BAD_LITERALS : LITERALS)[type.name]))})`;
      case 'set': return `[${Array.from({ length: r.chance(0.01) ? 0 : 1 + r.below(3) }, () => this.expression(type.element, depth - 1)).join(', ')}]`;
      default: return `{${Object.entries(type.fields).filter(([, f]) => f.required || r.chance(0.7)).map(([n, f]) => `${key(n)}: ${this.expression(f.type, depth - 1)}`).join(', ')}}`;
    }
  }
  expression(type, depth) {
    const r = this.random;
    if (r.chance(0.006)) type = this.type(1); // of another type than was asked for
    if (depth <= 0 || r.chance(0.15)) return this.leaf(type, depth);
    if (r.chance(0.06)) return `(if ${this.expression(BOOL, depth - 1)} then ${this.expression(type, depth - 1)} else ${this.expression(type, depth - 1)})`;
    switch (type.kind) {
      case 'Bool': return this.truth(depth);
      case 'Long': return this.number(depth);
      case 'extension': return this.extension(type, depth);
      default: return this.leaf(type, depth);
    }
  }
  leaf(type, depth) {
    const r = this.random;
    const found = r.chance(0.75) ? this.reach(type) : [];
    if (found.length === 0) return this.literal(type, depth);
    const { text, guards } = r.pick(found);
    if (guards.length === 0 || r.chance(0.06)) return text;
    const fallback = this.literal(type, depth);
    return type.kind === 'Bool' && r.chance(0.6) ? `(${[...guards, text].join(' && ')})` : `(if ${guards.join(' && ')} then ${text} else ${fallback})`;
  }
  number(depth) {
    const r = this.random;
    const some = () => this.expression(LONG, depth - 1);
    switch (r.below(6)) {
      case 0: return `(${some()} + ${some()})`;
      case 1: return `(${some()} - ${some()})`;
      case 2: return `(${some()} * ${some()})`;
      case 3: return `-${r.chance(0.3) ? '-' : ''}(${some()})`;
      case 4: return `${this.expression(DURATION, depth - 1)}.${r.pick(['toMilliseconds', 'toSeconds', 'toMinutes', 'toHours', 'toDays'])}()`;
      default: return this.leaf(LONG, depth);
    }
  }
  extension(type, depth) {
    const r = this.random;
    if (type === DATETIME) return r.chance(0.5) ? `${this.expression(DATETIME, depth - 1)}.offset(${this.expression(DURATION, depth - 1)})` : `${this.expression(DATETIME, depth - 1)}.toDate()`;
    if (type === DURATION) return r.chance(0.5) ? `${this.expression(DATETIME, depth - 1)}.toTime()` : `${this.expression(DATETIME, depth - 1)}.durationSince(${this.expression(DATETIME, depth - 1)})`;
    return this.leaf(type, depth);
  }
  truth(depth) {
    const r = this.random;
    const some = (type) => this.expression(type, depth - 1);
    const any = this.type(1);
    const set = { kind: 'set', element: this.type(0) };
    const entity = () => ({ kind: 'entity', name: r.pick(this.types).name });
    switch (r.below(18)) {
      case 0: case 1: return `(${some(BOOL)} && ${some(BOOL)})`;
      case 2: case 3: return `(${some(BOOL)} || ${some(BOOL)})`;
      case 4: return `!${r.chance(0.2) ? '!' : ''}(${some(BOOL)})`;
      case 5: return `${some(any)} ${r.pick(['==', '!='])} ${r.chance(0.9) ? some(any) : some(this.type(1))}`.replace(/^(.*)$/s, '($1)');
      case 6: return `(${some(LONG)} ${r.pick(['<', '<=', '>', '>='])} ${some(LONG)})`;
      case 7: { const t = r.pick([DATETIME, DURATION]); return `(${some(t)} ${r.pick(['<', '<=', '>', '>='])} ${some(t)})`; }
      case 8: return `(${some(entity())} in ${r.chance(0.6) ? some(entity()) : `[${some(entity())}, ${some(entity())}]`})`;
      case 9: return `(${some(entity())} is ${r.pick(this.types).name}${r.chance(0.3) ? ` in ${some(entity())}` : ''})`;
      case 10: return `(${some(STRING)} like ${quote(r.pick(STRINGS)).slice(0, -1)}${r.pick(['*"', '"', '\\*"', '*b*"'])})`;
      case 11: return `${some(set)}.${r.pick(['containsAll', 'containsAny'])}(${some(set)})`;
      case 12: return `${some(set)}.contains(${some(set.element)})`;
      case 13: return `${some(set)}.isEmpty()`;
      case 14: return `(${r.pick(['principal', 'resource', 'context', some(entity())])} has ${key(r.pick(NAMES))}${r.chance(0.1) ? '.a' : ''})`;
      case 15: return `${some(entity())}.hasTag(${some(STRING)})`;
      case 16: return `${some(DECIMAL)}.${r.pick(['lessThan', 'lessThanOrEqual', 'greaterThan', 'greaterThanOrEqual'])}(${some(DECIMAL)})`;
      default: return r.chance(0.5) ? `${some(IP)}.${r.pick(['isIpv4', 'isIpv6', 'isLoopback', 'isMulticast'])}()` : `${some(IP)}.isInRange(${some(IP)})`;
    }
  }

  // ---- text that may be no policy at all ----
  spoil(text) {
    const r = this.random;
    const at = r.below(text.length + 1);
    const bits = ['(', ')', '"', '.', ',', ';', '==', '::', ' in ', 'if', '!', '-', '\\', '\u0000', '?principal', '//', 'true', '9223372036854775808', '{', '}', '@', '\u00a0', '*', ' is ', 'like'];
    switch (r.below(4)) {
      case 0: return text.slice(0, at) + r.pick(bits) + text.slice(at);
      case 1: return text.slice(0, at) + text.slice(at + 1 + r.below(4));
      case 2: return text.slice(0, at);
      default: { const to = r.below(text.length + 1); return text.slice(0, at) + text.slice(to, to + 1 + r.below(12)) + text.slice(at); }
    }
  }
}
