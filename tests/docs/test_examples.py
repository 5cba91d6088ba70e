"""Runs the examples of the pages: a wrong page fails here."""

from __future__ import annotations

import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from uuid import uuid4

import pytest
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from agents.backends import SubmissionFailed, backends
from conditions.base import condition_types
from conditions.document import ROOTS, Document
from conditions.engine import compile_condition, validate_condition
from conditions.operators.base import operators
from senders.definitions import load_definition
from senders.parsing import Finder, extract_identity
from senders.signatures import RawRequest, new_secret, sign, verify
from tests.docs.pages import DOCS, blocks, only_block
from tests.factories import AgentFactory, make_task


def load(text: str, folder: Path, name: str = "shown") -> ModuleType:
    """Import a Python block as a module with this name."""
    path = folder / "shown.py"
    path.write_text(text)
    spec = spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("page", "code"), blocks("python run"), ids=lambda text: text.partition("\n")[0]
)
def test_the_python_examples_run(page: str, code: str, tmp_path: Path) -> None:
    load(code, tmp_path)


@pytest.mark.parametrize(("page", "text"), blocks("json condition"))
def test_the_conditions_are_valid(page: str, text: str) -> None:
    assert validate_condition(json.loads(text)) == []


def test_every_operator_and_field_is_listed() -> None:
    page = (DOCS / "conditions.md").read_text()

    names = [*operators.names(), *ROOTS]

    assert [name for name in names if f"`{name}" not in page] == []


@pytest.mark.django_db
@pytest.mark.parametrize(("page", "text"), blocks("json trigger"))
def test_the_triggers_are_accepted(page: str, text: str, api: APIClient) -> None:
    agent = AgentFactory.create()

    answer = api.post("/api/v1/triggers", {**json.loads(text), "agent_id": agent.id})

    assert answer.status_code == 201, answer.content


@pytest.mark.django_db
def test_an_event_is_emitted_once(api: APIClient) -> None:
    event = json.loads(only_block("json emit"))

    answers = [api.post("/api/v1/events", event) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert [answer.json()["duplicate"] for answer in answers] == [False, True]


@pytest.mark.django_db
def test_a_custom_agent_is_an_allowed_celery_task(
    api: APIClient, settings: Settings, tmp_path: Path
) -> None:
    module = load(only_block("python agent"), tmp_path, name="shop.tasks")
    settings.TICKHOOK_AGENT_TASKS = [module.thank.name]

    answer = api.post("/api/v1/agents", json.loads(only_block("json agent")))

    assert module.thank.name == "shop.tasks.thank"
    assert answer.status_code == 201, answer.content


def test_a_webhook_type_verifies_what_its_sender_signs() -> None:
    definition = load_definition(json.loads(only_block("json webhook-type")))
    scheme = definition.signature
    assert scheme is not None
    secret, body = new_secret(scheme), b'{"id": "1", "type": "paid"}'
    request = RawRequest.of(method="POST", url="", headers={}, body=body)

    headers = sign(scheme, request, secret=secret, now=1_795_000_000).headers

    assert list(headers) == ["Paybird-Signature"]
    assert headers["Paybird-Signature"].startswith("t=1795000000,v1=")
    verify(
        scheme,
        secrets=[secret],
        method="POST",
        url="",
        headers=headers,
        body=body,
        now=1_795_000_010,
    )


@pytest.mark.django_db
def test_the_webhook_type_is_accepted_as_an_upload(api: APIClient) -> None:
    document = json.loads(only_block("json webhook-type"))

    answer = api.post("/api/v1/webhook-types", document)

    assert (answer.status_code, answer.json()["version"]) == (201, 1), answer.content


@pytest.mark.parametrize("part", ["signature", "handshakes", "batch"])
def test_parts_of_a_webhook_type_are_valid(part: str) -> None:
    shown = blocks(f"json {part}")

    for _page, text in shown:
        load_definition({"slug": "shown", "name": "Shown", part: json.loads(text)})
    assert shown


def test_the_sample_of_the_webhook_type_is_accepted_by_it() -> None:
    document = json.loads(only_block("json webhook-type"))
    sample = json.loads(only_block("json webhook-sample"))
    definition = load_definition(document)
    request = Finder(headers={}, query={}, body=sample["body"])

    found = extract_identity(definition, request, raw_body=b"", now=0)

    assert found.event_type == f"paybird.{sample['event']}"
    assert found.delivery_id == sample["body"]["id"]


def test_a_custom_condition_type_evaluates(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(condition_types, "_items", {**condition_types._items})
    load(only_block("python condition"), tmp_path)
    condition = json.loads(only_block("json sample"))

    compiled = compile_condition(condition)
    ids = [{"event": {"id": str(number)}} for number in range(1000)]
    outcomes = [compiled.evaluate(Document(values)).outcome for values in ids]

    assert 50 < outcomes.count(outcomes[0].MET) < 150
    assert compiled.evaluate(Document({"event": None})).outcome == "error"
    [fault] = validate_condition({**condition, "percent": 101})
    assert fault.pointer == "/percent"


@pytest.mark.django_db
def test_a_custom_backend_accepts_tasks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(backends, "_items", {**backends._items})
    module = load(only_block("python backend"), tmp_path)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    agent = AgentFactory.create(backend="folder", config={"name": "paul"})
    task = make_task(agent=agent)

    module.FolderBackend().submit([task])

    assert (
        tmp_path / "paul" / f"{task.idempotency_key}.json"
    ).read_text() == '{"a": 1}'
    assert module.FolderBackend().check_config({"name": "paul"}) == []
    faults = module.FolderBackend().check_config({"name": "../etc", "x": 1})
    assert [fault.pointer for fault in faults] == ["/x", "/name"]
    monkeypatch.setattr(module, "ROOT", Path("/dev/null"))
    with pytest.raises(SubmissionFailed):
        module.FolderBackend().submit([task])


@pytest.mark.django_db
def test_a_custom_clock_works(tmp_path: Path) -> None:
    clock = load(only_block("python clock"), tmp_path).ExternalClock()

    assert clock.get_trigger_status(uuid4()) == {"status": "not_running"}
    assert clock.is_healthy() is True
