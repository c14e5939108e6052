// Whether recorded exchanges keep to the document, as ajv sees it by JSON Schema 2020-12, which OpenAPI 3.1 is written in: path, query, headers and body of the request;
// status, headers, content type and body of the answer. What the document does not name is a flaw on both sides.
//
// usage: node judge.js DOCUMENT.json RECORD: prints a line for each flaw, then "N exchanges, M flaws"; exit code 1 where there is one.
// A line of RECORD is {method, target, sent: [[name, value]…], body, status, got: [[name, value]…], text, whole}, perhaps with `by`, who asked.
'use strict';
const fs = require('fs');
const Ajv2020 = require('ajv/dist/2020');
const [documentFile, record] = process.argv.slice(2);
const document = JSON.parse(fs.readFileSync(documentFile));

/** The schema with objects that have nothing else than what it names. */
function closed(schema) {
  if (Array.isArray(schema)) return schema.map(closed);
  if (schema === null || typeof schema !== 'object') return schema;
  const made = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  if (made.properties && !('additionalProperties' in made)) made.additionalProperties = false;
  return made;
}

const ajv = new Ajv2020({ strict: false, allErrors: true, formats: { int64: true } });
ajv.addSchema(closed(document), 'api');

// What HTTP itself has; all else has to be in the document.
const ASKED = ['host', 'connection', 'content-length', 'content-type', 'accept', 'accept-encoding', 'accept-language', 'sec-fetch-mode', 'user-agent', 'transfer-encoding'];
const ANSWERED = ['connection', 'content-length', 'content-type', 'transfer-encoding', 'date', 'server', 'cache-control', 'x-content-type-options', 'keep-alive'];

const escaped = (text) => text.replaceAll('~', '~0').replaceAll('/', '~1');
const resolved = (node, pointer) => (node.$ref ? [node.$ref.slice(2).split('/').reduce((at, part) => at[part], document), node.$ref] : [node, pointer]);
const templates = Object.keys(document.paths).map((path) => {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map((found) => found[1]);
  return { path, names, pattern: new RegExp(`^${path.replace(/\{\w+\}/g, '([^/]+)')}$`) };
});

/** A parameter's text as the value that it stands for. */
function typed(schema, text) {
  [schema] = resolved(schema, '');
  const kinds = [schema, ...(schema.oneOf || []).map((one) => resolved(one, '')[0])].map((one) => one.type);
  if (kinds.includes('integer') && /^-?\d+$/.test(text)) return Number(text);
  if (kinds.includes('boolean') && /^(true|false)$/.test(text)) return text === 'true';
  return text;
}

/** Flaws of a value, which stands at `pointer` in the document. */
function flawsAt(pointer, value, what) {
  const validate = ajv.getSchema('api' + pointer);
  if (!validate) return [`${what}: the document has no ${pointer}`];
  return validate(value) ? [] : validate.errors.map((error) => `${what}${error.instancePath} ${error.message}${error.params.additionalProperty ? ` (${error.params.additionalProperty})` : ''}`);
}

function parsed(text, what, flaws) {
  try {
    return JSON.parse(text);
  } catch (error) {
    flaws.push(`${what} is no JSON: ${text.slice(0, 200)}`);
    return undefined;
  }
}

const kindOf = (headers) => ((headers.find(([name]) => name.toLowerCase() === 'content-type') || [])[1] || '').split(';')[0].trim();

function flawsOfRequest(exchange, template, base, operation, taken, query) {
  const flaws = [];
  const known = new Map();
  for (const [where, owner] of [[`#/paths/${escaped(template.path)}`, document.paths[template.path]], [base, operation]])
    (owner.parameters || []).forEach((one, number) => {
      const [parameter, pointer] = resolved(one, `${where}/parameters/${number}`);
      known.set(`${parameter.in} ${parameter.in === 'header' ? parameter.name.toLowerCase() : parameter.name}`, { parameter, pointer });
    });
  const given = [...template.names.map((name, number) => ['path', name, decodeURIComponent(taken[number])]), ...[...query].map(([name, value]) => ['query', name, value]),
    ...exchange.sent.map(([name, value]) => ['header', name.toLowerCase(), value]).filter(([, name]) => known.has(`header ${name}`) || !ASKED.includes(name))];
  const seen = new Set();
  for (const [place, name, value] of given) {
    const found = known.get(`${place} ${name}`);
    if (!found) flaws.push(`the ${place} has ${name}`);
    else flaws.push(...flawsAt(`${found.pointer}/schema`, typed(found.parameter.schema, value), `the ${place}'s ${name}`));
    if (seen.has(`${place} ${name}`)) flaws.push(`the ${place} has ${name} twice`);
    seen.add(`${place} ${name}`);
  }
  for (const [key, { parameter }] of known) if (parameter.required && !seen.has(key)) flaws.push(`the ${key} is missing`);
  if (!operation.requestBody) return exchange.body ? [...flaws, 'there is a body'] : flaws;
  const [wanted, pointer] = resolved(operation.requestBody, `${base}/requestBody`);
  if (!exchange.body) return wanted.required ? [...flaws, 'the body is missing'] : flaws;
  const kind = kindOf(exchange.sent);
  if (!wanted.content[kind]) return [...flaws, `the body is '${kind}'`];
  const body = parsed(exchange.body, 'the body', flaws);
  return body === undefined ? flaws : [...flaws, ...flawsAt(`${pointer}/content/${escaped(kind)}/schema`, body, 'body')];
}

/** The documents of a text that has several: lines, or the data of server-sent events that came whole. */
function documentsOf(kind, text) {
  if (kind === 'application/x-ndjson') return text.split('\n').slice(0, -1).filter((line) => line);
  return text.split('\n\n').slice(0, -1).flatMap((message) => message.split('\n').filter((line) => line.startsWith('data: ')).map((line) => line.slice(6)));
}

function flawsOfAnswer(exchange, base, operation) {
  const flaws = [];
  const key = operation.responses[exchange.status] ? String(exchange.status) : 'default';
  if (key === 'default' && exchange.status < 400) return ['is not in the document'];
  const [response, pointer] = resolved(operation.responses[key], `${base}/responses/${key}`);
  const documented = new Map(Object.entries(response.headers || {}).map(([name, one]) => [name.toLowerCase(), resolved(one, `${pointer}/headers/${name}`)]));
  const got = exchange.got.map(([name, value]) => [name.toLowerCase(), value]);
  for (const [name, value] of got) {
    if (documented.has(name)) flaws.push(...flawsAt(`${documented.get(name)[1]}/schema`, value, `header ${name}`));
    else if (!ANSWERED.includes(name)) flaws.push(`has the header ${name}`);
  }
  for (const [name, [header]] of documented) if (header.required && !got.some(([one]) => one === name)) flaws.push(`has no header ${name}`);
  const kind = kindOf(exchange.got);
  if (!response.content) return kind || exchange.text ? [...flaws, `is '${kind}', and nothing in the document`] : flaws;
  const content = response.content[kind];
  if (!content) return [...flaws, `as '${kind}' is not in the document`];
  const where = `${pointer}/content/${escaped(kind)}`;
  if (/^application\/([a-z.-]+\+)?json$/.test(kind)) {
    if (!exchange.whole) return flaws;
    const answer = parsed(exchange.text, 'the answer', flaws);
    if (answer === undefined) return flaws;
    flaws.push(...flawsAt(`${where}/schema`, answer, 'answer'));
    if (kind === 'application/problem+json' && answer.status !== exchange.status) flaws.push(`calls itself ${answer.status}`);
    return flaws;
  }
  flaws.push(...flawsAt(`${where}/schema`, exchange.text, 'answer'));
  if (content['x-itemSchema'])
    for (const one of documentsOf(kind, exchange.text)) {
      const item = parsed(one, 'a line', flaws);
      if (item !== undefined) flaws.push(...flawsAt(`${where}/x-itemSchema`, item, 'line'));
    }
  return flaws;
}

function flawsOf(exchange) {
  const [path, search] = exchange.target.split(/\?(.*)/s);
  const method = exchange.method.toLowerCase();
  const told = `${exchange.by ? `${exchange.by}: ` : ''}${exchange.method} ${exchange.target} (${exchange.status})`;
  const template = templates.find((one) => one.pattern.test(path) && document.paths[one.path][method]);
  if (!template) return [400, 404, 405].includes(exchange.status) ? [] : [`${told}: is not in the document`];
  const base = `#/paths/${escaped(template.path)}/${method}`;
  const operation = document.paths[template.path][method];
  const flaws = [];
  // What berthd refused as wrongly asked was, perhaps.
  if (![400, 404].includes(exchange.status)) flaws.push(...flawsOfRequest(exchange, template, base, operation, path.match(template.pattern).slice(1), new URLSearchParams(search || '')));
  if (exchange.status !== 0) flaws.push(...flawsOfAnswer(exchange, base, operation).map((flaw) => `the answer ${flaw}`));
  return flaws.map((flaw) => `${told}: ${flaw}`);
}

const exchanges = fs.readFileSync(record, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
const flaws = exchanges.flatMap(flawsOf);
for (const flaw of flaws) console.log(flaw);
console.log(`${exchanges.length} exchanges, ${flaws.length} flaws`);
process.exit(flaws.length === 0 && exchanges.length > 0 ? 0 : 1);
