// Uses the client that @hey-api/openapi-ts generates.

import assert from "node:assert/strict";
import { client } from "./generated/sdk/client.gen";
import {
  agentsCreate,
  executionsList,
  tasksList,
  triggersCreate,
  triggersList,
  triggersPartialUpdate,
  triggersRetrieve,
  triggersUpdate,
  type Trigger,
} from "./generated/sdk";

const [url, token] = process.argv.slice(2);

async function main(): Promise<void> {
  assert.equal(client.getConfig().baseUrl, url, "the schema names the server");
  client.setConfig({ auth: `Token ${token}` });
  const { data: agent } = await agentsCreate({
    body: { name: "hey", backend: "celery", config: { task: "agents.tasks.echo" } },
  });
  assert(agent);
  const made = await makeTrigger(agent.id);
  await sendBack(made);
  await readErrors();
  await readLists();
}

async function makeTrigger(agent_id: string): Promise<Trigger> {
  const { data: hook } = await triggersCreate({
    body: { name: "hey hook", agent_id, trigger_type: "webhook", webhook_type: "github" },
  });
  assert(hook?.webhook_secret);
  const { data: made } = await triggersCreate({
    body: { name: "hey", agent_id, trigger_type: "event", event_types: ["ticket.*"] },
  });
  assert(made);
  assert.equal(made.schedule_type, null);
  return made;
}

async function sendBack(made: Trigger): Promise<void> {
  const path = { id: made.id };
  const { data: put } = await triggersUpdate({ path, body: made });
  assert.deepEqual(put?.event_types, ["ticket.*"]);
  const { data: patched } = await triggersPartialUpdate({
    path,
    body: { schedule_type: null, description: "patched" },
  });
  assert.deepEqual(
    { ...patched, version: made.version, updated_at: made.updated_at, warnings: [] },
    { ...made, description: "patched", warnings: [] },
  );
}

async function readErrors(): Promise<void> {
  const id = "00000000-0000-0000-0000-000000000000";
  const { error } = await triggersRetrieve({ path: { id } });
  assert.equal(error?.error_code, "trigger_not_found");
  const body = { name: "x", backend: "no-such-backend" };
  const { error: refused } = await agentsCreate({ body });
  assert.deepEqual(refused?.errors.map((e) => e.pointer), ["/backend"]);
}

async function readLists(): Promise<void> {
  const query = { page_size: 5, trigger_type: "event" } as const;
  const { data: triggers } = await triggersList({ query });
  assert(triggers?.results.some((trigger) => trigger.name === "hey"));
  const { data: executions } = await executionsList();
  assert(Array.isArray(executions?.executions));
  const { data: tasks } = await tasksList({ query: { status: "failed" } });
  assert.deepEqual(tasks?.results, []);
}

void main();
