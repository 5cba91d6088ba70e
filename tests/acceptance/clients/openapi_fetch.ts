// Uses the types that openapi-typescript generates, through openapi-fetch.

import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./generated/types";

type Trigger = components["schemas"]["Trigger"];

const [url, token] = process.argv.slice(2);
const client = createClient<paths>({
  baseUrl: url,
  headers: { Authorization: `Token ${token}` },
});

async function main(): Promise<void> {
  const { data: agent } = await client.POST("/api/v1/agents", {
    body: { name: "fetch", backend: "celery", config: { task: "agents.tasks.echo" } },
  });
  assert(agent);
  const made = await makeTrigger(agent.id);
  await sendBack(made);
  await readErrors();
  await readLists();
}

async function makeTrigger(agent_id: string): Promise<Trigger> {
  const { data: hook } = await client.POST("/api/v1/triggers", {
    body: { name: "fetch hook", agent_id, trigger_type: "webhook", webhook_type: "github" },
  });
  assert(hook?.webhook_secret);
  assert.equal(hook.schedule_type, null);
  const { data: made } = await client.POST("/api/v1/triggers", {
    body: {
      name: "fetch",
      agent_id,
      trigger_type: "cron",
      schedule_type: "interval",
      schedule_config: { interval_seconds: 3600 },
    },
  });
  assert(made?.next_run_time);
  return made;
}

async function sendBack(made: Trigger): Promise<void> {
  const params = { path: { id: made.id } };
  const { data: put } = await client.PUT("/api/v1/triggers/{id}", { params, body: made });
  assert.equal(put?.next_run_time, made.next_run_time);
  const { data: patched } = await client.PATCH("/api/v1/triggers/{id}", {
    params,
    body: { description: "patched" },
  });
  assert.deepEqual(
    { ...patched, version: made.version, updated_at: made.updated_at, warnings: [] },
    { ...made, description: "patched", warnings: [] },
  );
}

async function readErrors(): Promise<void> {
  const id = "00000000-0000-0000-0000-000000000000";
  const { error } = await client.GET("/api/v1/triggers/{id}", { params: { path: { id } } });
  assert.equal(error?.error_code, "trigger_not_found");
  const { error: refused } = await client.POST("/api/v1/agents", {
    body: { name: "x", backend: "no-such-backend" },
  });
  assert.deepEqual(refused?.errors.map((e) => e.pointer), ["/backend"]);
}

async function readLists(): Promise<void> {
  const query = { page_size: 5, trigger_type: "cron" } as const;
  const { data: triggers } = await client.GET("/api/v1/triggers", { params: { query } });
  assert(triggers?.results.some((trigger) => trigger.name === "fetch"));
  const { data: executions } = await client.GET("/api/v1/executions");
  assert(Array.isArray(executions?.executions));
  const { data: types } = await client.GET("/api/v1/webhook-types");
  assert(types?.results.some((type) => type.slug === "github"));
}

void main();
