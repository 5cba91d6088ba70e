"""A Python client that openapi-python-client generates from the served schema."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module, invalidate_caches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest

from tests.acceptance.client import Api, Request, send
from tests.acceptance.stack import Stack
from tests.acceptance.waiting import wait_for

pytestmark = pytest.mark.acceptance

PACKAGE = "generated_tickhook"
LISTS = {
    "agents_list", "audit_log_list", "deliveries_list", "event_types_list",
    "events_list", "executions_list", "keys_list", "schedules_presets_list",
    "tasks_list", "triggers_list", "webhook_types_list",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Generated:
    """The generated package and a logged-in client."""

    folder: Path
    client: Any

    def model(self, name: str) -> Any:
        return getattr(import_module(f"{PACKAGE}.models"), name)

    def send(self, operation: str, *path: object, **options: Any) -> Any:
        """Call an operation; return the status and the parsed answer."""
        (file,) = self.folder.glob(f"api/*/{operation}.py")
        module = import_module(f"{PACKAGE}.api.{file.parent.name}.{operation}")
        answer = module.sync_detailed(*path, client=self.client, **options)
        assert answer.parsed is not None or answer.status_code == 204, answer
        return answer.status_code, answer.parsed

    def create(self, operation: str, request: str, **fields: Any) -> Any:
        """Create a row; return it as parsed."""
        body = self.model(request)(**fields)
        status, created = self.send(operation, body=body)
        assert status == 201, created
        return created


@pytest.fixture(scope="module")
def generated(
    shared_stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Generated]:
    folder = tmp_path_factory.mktemp("python-client")
    schema, config = folder / "schema.json", folder / "config.yaml"
    request = Request(path="/api/schema?format=json", method="GET")
    schema.write_bytes(send(shared_stack.url, request).body)
    config.write_text("post_hooks: []\n")  # they would only format the code
    package = folder / PACKAGE
    generate = [sys.executable, "-m", "openapi_python_client", "generate"]
    generate += ["--path", str(schema), "--config", str(config), "--meta", "none"]
    generate += ["--output-path", str(package), "--fail-on-warning"]
    subprocess.run(generate, check=True, capture_output=True)  # noqa: S603 - our words
    sys.path.insert(0, str(folder))
    invalidate_caches()
    client = import_module(PACKAGE).AuthenticatedClient(
        base_url=shared_stack.url, token=shared_stack.api_token, prefix="Token"
    )
    with client:
        yield Generated(package, client)


@pytest.fixture(scope="module")
def agent(generated: Generated) -> Any:
    config = generated.model("AgentRequestConfig").from_dict(
        {"task": "agents.tasks.echo"}
    )
    return generated.create(
        "agents_create", "AgentRequest", name="python", backend="celery", config=config
    )


def make_trigger(generated: Generated, agent: Any, kind: str, **fields: Any) -> Any:
    kinds = generated.model("TriggerTypeEnum")
    return generated.create(
        "triggers_create",
        "TriggerRequest",
        name=str(uuid4()),
        agent_id=agent.id,
        trigger_type=kinds(kind),
        **fields,
    )


def test_it_creates_an_agent(agent: Any) -> None:
    assert isinstance(agent.id, UUID)
    assert (agent.name, agent.kind, agent.is_active) == ("python", "agent", True)


def test_it_creates_triggers_of_each_type(generated: Generated, agent: Any) -> None:
    config = generated.model("TriggerRequestScheduleConfig").from_dict(
        {"interval_seconds": 3600}
    )
    interval = generated.model("ScheduleTypeEnum")("interval")

    scheduled = make_trigger(
        generated, agent, "cron", schedule_type=interval, schedule_config=config
    )
    listening = make_trigger(generated, agent, "event", event_types=["ticket.*"])
    webhook = make_trigger(generated, agent, "webhook", webhook_type="github")
    manual = make_trigger(generated, agent, "manual")

    assert scheduled.schedule_config.to_dict() == {"interval_seconds": 3600}
    assert scheduled.next_run_time > scheduled.created_at
    assert listening.event_types == ["ticket.*"]
    assert webhook.webhook_secret
    assert webhook.webhook_url.startswith(generated.client._base_url)
    assert manual.schedule_type is None
    assert manual.next_run_time is None


def test_a_received_trigger_can_be_sent_back(generated: Generated, agent: Any) -> None:
    daily = generated.model("ScheduleTypeEnum")("daily")
    made = make_trigger(generated, agent, "cron", schedule_type=daily)
    sent = generated.model("TriggerRequest").from_dict(made.to_dict())

    status, replaced = generated.send("triggers_update", made.id, body=sent)

    assert status == 200
    changed = {"version", "updated_at", "warnings"}
    for name, value in made.to_dict().items():
        assert name in changed or replaced.to_dict()[name] == value, name


def test_a_patch_changes_one_member(generated: Generated, agent: Any) -> None:
    made = make_trigger(generated, agent, "manual", timeout_seconds=77)
    patch = generated.model("PatchedTriggerRequest")(description="patched")

    status, patched = generated.send("triggers_partial_update", made.id, body=patch)

    assert (status, patched.description) == (200, "patched")
    assert (patched.timeout_seconds, patched.name) == (77, made.name)


def test_an_error_is_parsed(generated: Generated, agent: Any) -> None:
    problem = generated.model("Problem")

    status, missing = generated.send("triggers_retrieve", uuid4())
    body = generated.model("AgentRequest")(name="x", backend="no-such-backend")
    refused_status, refused = generated.send("agents_create", body=body)

    assert (status, type(missing)) == (404, problem)
    assert missing.error_code == "trigger_not_found"
    assert (refused_status, type(refused)) == (400, problem)
    assert [error.pointer for error in refused.errors] == ["/backend"]


@pytest.fixture(scope="module")
def execution(generated: Generated, agent: Any) -> Any:
    """Return an execution with its task, of a trigger that was run by hand."""
    made = make_trigger(generated, agent, "manual")
    run = generated.model("RunRequest")()
    status, started = generated.send("triggers_run", made.id, body=run)
    assert status == 202

    def with_task() -> Any:
        _, page = generated.send("executions_list", event_id=started.event_id)
        return [row for row in page.executions if row.task_id is not None]

    (row,) = wait_for(with_task, timeout_seconds=30)
    assert row.trigger_id == made.id
    return row


def test_a_run_is_followed_to_its_task(
    generated: Generated, agent: Any, execution: Any
) -> None:
    _, task = generated.send("tasks_retrieve", execution.task_id)
    _, event = generated.send("events_retrieve", execution.event_id)

    assert execution.status == "success"
    assert (task.execution_id, task.agent_id) == (execution.id, agent.id)
    assert [row.id for row in event.executions] == [execution.id]


@pytest.mark.usefixtures("execution")
def test_every_list_is_parsed(
    generated: Generated, agent: Any, shared_stack: Stack
) -> None:
    path = urlsplit(make_trigger(generated, agent, "webhook").webhook_url).path
    assert send(shared_stack.url, Request(path=path, body=b"{}")).status == 200
    key = {"name": "python", "scopes": ["triggers:read"]}
    Api(shared_stack).post("/keys", key)
    files = {file.stem for file in generated.folder.glob("api/*/*_list.py")}
    assert files == LISTS | {"triggers_executions_list", "webhook_types_versions_list"}

    for operation in sorted(LISTS):
        status, page = generated.send(operation, page=1, page_size=5)

        assert (operation, status) == (operation, 200)
        assert (page.page_size, page.total_count > 0) == (5, True), operation
