// Reads one target of a repository as any program with tuf-js does.
//
// usage: node read_target.js MODULES REPOSITORY-URL WORK-FOLDER TARGET
// The work folder has the pinned root.json. Prints the target's bytes; a refusal is one line on stderr, "NAME: message", and exit code 1.
'use strict';
const path = require('path');
const fs = require('fs');
const [modules, url, work, name] = process.argv.slice(2);
const { Updater } = require(path.join(modules, 'node_modules', 'tuf-js'));

async function main() {
  const targets = path.join(work, 'targets');
  fs.mkdirSync(targets, { recursive: true });
  const updater = new Updater({
    metadataDir: work,
    metadataBaseUrl: `${url}/metadata`,
    targetDir: targets,
    targetBaseUrl: `${url}/targets`,
    config: { fetchRetry: 0 },
  });
  await updater.refresh();
  const info = await updater.getTargetInfo(name);
  if (!info) throw Object.assign(new Error(`no role lists ${name}`), { name: 'NotFound' });
  process.stdout.write(fs.readFileSync(await updater.downloadTarget(info)));
}

main().catch((error) => {
  console.error(`${error.constructor.name}: ${error.message}`);
  process.exit(1);
});
