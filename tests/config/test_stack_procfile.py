from __future__ import annotations

from pathlib import Path

import pytest

from config.stack.options import ROOT
from config.stack.procfile import ProcfileError, Program, read_procfile


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
def test_a_bad_line_is_named(procfile: Path, text: str, message: str) -> None:
    procfile.write_text(text)

    with pytest.raises(ProcfileError) as refusal:
        read_procfile(procfile, {})

    assert str(refusal.value) == message


def test_a_value_with_a_space_stays_one_word(procfile: Path) -> None:
    procfile.write_text('web: serve "${FOLDER}"')

    programs = read_procfile(procfile, {"FOLDER": "/a b"})

    assert programs == [Program(name="web", command=("serve", "/a b"))]


def test_the_projects_own_programs_are_the_five_documented_ones() -> None:
    environment = dict.fromkeys(["TICKHOOK_HOST", "TICKHOOK_PORT", "FLOWER_PORT"], "1")

    programs = read_procfile(ROOT / "Procfile", environment)

    names = [program.name for program in programs]
    assert names == ["web", "worker", "worker-slow", "beat", "flower"]
