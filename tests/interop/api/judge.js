// Whether recorded exchanges keep to the document, as ajv sees it by JSON Schema 2020-12, which OpenAPI 3.1 is written in.
//
// usage: node judge.js DOCUMENT.json RECORD: prints a line for each flaw, then "N exchanges, M flaws"; exit code 1 where there is one.
'use strict';
const fs = require('fs');
const Ajv2020 = require('ajv/dist/2020');
const [documentFile, record] = process.argv.slice(2);
const document = JSON.parse(fs.readFileSync(documentFile));
const ajv = new Ajv2020({ strict: false, allErrors: true, formats: { int64: true } });
ajv.addSchema(document, 'api');

const escaped = (text) => text.replaceAll('~', '~0').replaceAll('/', '~1');
const resolved = (node, pointer) => (node.$ref ? [node.$ref.slice(2).split('/').reduce((at, part) => at[part], document), node.$ref] : [node, pointer]);
const templates = Object.keys(document.paths).map((path) => [path, new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`)]);

function flawsOf(exchange) {
  const found = templates.find(([path, pattern]) => pattern.test(exchange.path) && document.paths[path][exchange.method.toLowerCase()]);
  if (!found) return [`${exchange.method} ${exchange.path} is not in the document`];
  const base = `#/paths/${escaped(found[0])}/${exchange.method.toLowerCase()}`;
  const operation = document.paths[found[0]][exchange.method.toLowerCase()];
  const flaws = [];
  const check = (pointer, value, what) => {
    const validate = ajv.getSchema('api' + pointer);
    if (!validate(JSON.parse(value))) flaws.push(...validate.errors.map((error) => `${exchange.method} ${exchange.path}: ${what}${error.instancePath} ${error.message}`));
  };
  if (exchange.body) {
    const [, pointer] = resolved(operation.requestBody, `${base}/requestBody`);
    check(`${pointer}/content/application~1json/schema`, exchange.body, 'body');
  }
  const key = operation.responses[exchange.status] ? String(exchange.status) : 'default';
  const [response, pointer] = resolved(operation.responses[key], `${base}/responses/${key}`);
  if (!response.content[exchange.kind]) flaws.push(`${exchange.method} ${exchange.path}: ${exchange.status} as '${exchange.kind}' is not in the document`);
  else check(`${pointer}/content/${escaped(exchange.kind)}/schema`, exchange.text, 'answer');
  return flaws;
}

const exchanges = fs.readFileSync(record, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
const flaws = exchanges.flatMap(flawsOf);
for (const flaw of flaws) console.log(flaw);
console.log(`${exchanges.length} exchanges, ${flaws.length} flaws`);
process.exit(flaws.length === 0 && exchanges.length > 0 ? 0 : 1);
