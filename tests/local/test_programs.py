from __future__ import annotations

from pathlib import Path

import pytest

from local.environment import ROOT
from local.programs import ProcfileError, Program, read_procfile


@pytest.fixture
def procfile(tmp_path: Path) -> Path:
    return tmp_path / "Procfile"


def test_programs_keep_their_order_and_their_words(procfile: Path) -> None:
    procfile.write_text(
        "# who answers\nweb: serve --port ${PORT}\n\nwork: run 'two words' %h\n"
    )

    programs = read_procfile(procfile, {"PORT": "8000"})

    assert programs == [
        Program(name="web", command=("serve", "--port", "8000")),
        Program(name="work", command=("run", "two words", "%h")),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("web serve", "Procfile, line 1: not of the form `name: command`"),
        ("\nweb: serve ${PORT}", "Procfile, line 2: PORT is not set"),
        ("web: serve 'open", "Procfile, line 1: No closing quotation"),
        ("web:", "Procfile, line 1: not of the form `name: command`"),
    ],
)
def test_the_error_for_a_bad_line_names_its_number(
    procfile: Path, text: str, message: str
) -> None:
    procfile.write_text(text)

    with pytest.raises(ProcfileError) as refusal:
        read_procfile(procfile, {})

    assert str(refusal.value) == message


def test_a_value_with_a_space_stays_one_word(procfile: Path) -> None:
    procfile.write_text('web: serve "${FOLDER}"')

    programs = read_procfile(procfile, {"FOLDER": "/a b"})

    assert programs == [Program(name="web", command=("serve", "/a b"))]


@pytest.mark.parametrize(
    ("environment", "word"),
    [({}, "2"), ({"COUNT": ""}, "2"), ({"COUNT": "$HOME"}, "$HOME")],
)
def test_a_default_replaces_a_variable_that_is_unset_or_empty(
    procfile: Path, environment: dict[str, str], word: str
) -> None:
    procfile.write_text("work: run -c ${COUNT:-2}")

    programs = read_procfile(procfile, environment)

    assert programs == [Program(name="work", command=("run", "-c", word))]


REQUIRED = dict.fromkeys(["TICKHOOK_HOST", "TICKHOOK_PORT", "FLOWER_PORT"], "1")


def test_the_projects_own_programs_are_the_six_documented_ones() -> None:
    programs = read_procfile(ROOT / "Procfile", REQUIRED)

    names = [program.name for program in programs]
    assert names == ["web", "worker", "worker-slow", "agents", "beat", "flower"]


def test_agents_and_slow_work_have_their_own_workers() -> None:
    programs = read_procfile(ROOT / "Procfile", REQUIRED)

    queues = {
        program.name: program.command[program.command.index("-Q") + 1]
        for program in programs
        if "-Q" in program.command
    }
    assert queues == {
        "worker": "clock,pipeline",
        "worker-slow": "slow",
        "agents": "agents",
    }


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("worker", "TICKHOOK_WORKER_CONCURRENCY"),
        ("worker-slow", "TICKHOOK_SLOW_CONCURRENCY"),
        ("agents", "TICKHOOK_AGENT_CONCURRENCY"),
    ],
)
def test_the_environment_sets_the_concurrency_of_each_worker(
    name: str, variable: str
) -> None:
    commands = [
        program.command
        for environment in (REQUIRED, {**REQUIRED, variable: "7"})
        for program in read_procfile(ROOT / "Procfile", environment)
        if program.name == name
    ]

    assert [command[command.index("-c") + 1] for command in commands] == ["2", "7"]
