// A deployment as fleet tooling drives it, by a client made of docs/openapi.yaml: what it does not allow does not compile.
//
// usage: node drive.js SOCKET RECORD: prints what became of it as JSON, and writes each exchange to RECORD, a line each.
import * as fs from "node:fs";
import * as http from "node:http";
import createClient from "openapi-fetch";
import type { components, paths } from "./berth";

const [socketPath, record] = process.argv.slice(2) as [string, string];

/** fetch, over berthd's Unix socket. */
async function fetchBySocket(request: Request): Promise<Response> {
  const url = new URL(request.url);
  const body = await request.text();
  const headers = Object.fromEntries(request.headers.entries());
  return new Promise((resolve, reject) => {
    const asked = http.request({ socketPath, method: request.method, path: url.pathname + url.search, headers }, (got) => {
      const parts: Buffer[] = [];
      got.on("data", (part: Buffer) => parts.push(part));
      got.on("end", () => {
        const text = Buffer.concat(parts).toString();
        const kind = got.headers["content-type"] ?? "";
        const told = Object.entries(got.headers).map(([name, value]) => [name, String(value)]);
        fs.appendFileSync(record, JSON.stringify({ method: request.method, target: url.pathname + url.search, sent: Object.entries(headers), body, status: got.statusCode, got: told, text, whole: true }) + "\n");
        resolve(new Response(text, { status: got.statusCode ?? 500, headers: { "content-type": kind, "content-length": String(Buffer.byteLength(text)) } }));
      });
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

const client = createClient<paths>({ baseUrl: "http://localhost", fetch: fetchBySocket });
type Deployment = components["schemas"]["Deployment"];

async function ended(deployment: Deployment): Promise<Deployment> {
  while (deployment.exit === -1) {
    const { data, error } = await client.GET("/v1/deployments/{id}", { params: { path: { id: deployment.id }, query: { wait: 30, until: "ended" } } });
    if (!data) throw new Error(error.detail);
    deployment = data;
  }
  return deployment;
}

async function deploy(release: string, key: string): Promise<Deployment> {
  const { data, error } = await client.POST("/v1/apps/{app}/deployments", {
    params: { path: { app: "web" }, header: { "Idempotency-Key": key } },
    body: { release, reason: "pushed by a pipeline" },
  });
  if (!data) throw new Error(error.detail);
  return data;
}

async function main(): Promise<void> {
  const first = await deploy("v1", "push-1");
  const again = await deploy("v1", "push-1");
  const done = [await ended(first), await ended(await deploy("v2", "push-2"))];
  done.push(await ended(await deploy("v9", "push-3")));
  const unknown = await client.POST("/v1/apps/{app}/pin", { params: { path: { app: "web" } }, body: { release: "v9" } });
  const status = await client.GET("/v1/status");
  const back = await client.POST("/v1/apps/{app}/revert", { params: { path: { app: "web" } }, body: { reason: "a drill" } });
  if (!back.data) throw new Error(`revert: ${JSON.stringify(back.error)}`);
  if (!status.data || !unknown.error) throw new Error(`an answer is missing: ${JSON.stringify([status.error, unknown.data])}`);
  done.push(await ended(back.data));
  const events = await client.GET("/v1/events", { params: { query: { app: "web", limit: 1000 } } });
  console.log(JSON.stringify({
    same: first.id === again.id,
    states: done.map((one) => `${one.kind} ${one.release}: ${one.state} ${one.exit}`),
    unknown: { status: unknown.response.status, exit: unknown.error.exit, code: unknown.error.code },
    active: status.data.apps.map((app) => `${app.app}@${app.active} ${app.health}`),
    events: typeof events.data === "object" ? events.data.events.length : 0,
  }));
}

main().catch((error: Error) => {
  console.error(error);
  process.exit(1);
});
