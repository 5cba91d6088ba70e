from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest
import redis

from local.embedded import (
    EmbeddedServers,
    ServerAlreadyRunningError,
    embedded_servers,
    folders,
    servers,
    start_postgres,
    start_valkey,
)
from local.embedded.folders import (
    FolderUnusableError,
    make_server_folder,
    remove_server_folder,
)
from local.embedded.process import wait_until
from local.programs import ServerProgram
from local.supervisor import Supervisor
from tests.config.processes import is_gone


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder inside of one that only its owner can enter, like a home."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    yield home
    for name in ("postgres", "valkey"):
        remove_server_folder(home / name)


def _query(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def _assert_both_work(servers: EmbeddedServers) -> None:
    assert _query(servers.database_url, "SELECT current_database()") == [("tickhook",)]
    with redis.Redis.from_url(servers.redis_url) as client:
        assert client.ping() is True


@pytest.mark.parametrize(
    "name",
    ["plain", "with a space and an ü", "deep/" * 30 + "long"],
    ids=["plain", "space and umlaut", "long"],
)
def test_servers_run_in_a_private_home_on_any_path(folder: Path, name: str) -> None:
    with embedded_servers(folder / name, throw_away=True) as servers:
        _assert_both_work(servers)


def test_programs_that_the_servers_user_cannot_reach_are_copied(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "can_reach", lambda *_: False)
    umask = os.umask(0o077)

    try:
        with embedded_servers(folder, throw_away=True) as servers:
            _assert_both_work(servers)
    finally:
        os.umask(umask)


def test_a_session_with_an_idle_transaction_is_ended(folder: Path) -> None:
    with embedded_servers(folder, throw_away=True) as servers:
        setting = _query(
            servers.database_url, "SHOW idle_in_transaction_session_timeout"
        )

    assert setting == [("5min",)]


def test_a_private_home_stays_private(folder: Path) -> None:
    with embedded_servers(folder / "data", throw_away=True):
        pass

    assert folder.stat().st_mode & 0o777 == 0o700


def test_temporary_servers_leave_no_data(folder: Path) -> None:
    with embedded_servers(folder, throw_away=True):
        places = [(folder / name).resolve() for name in ("postgres", "valkey")]

    assert [place.exists() for place in places] == [False, False]
    assert sorted(entry.name for entry in folder.iterdir()) == ["logs"]


def test_servers_listen_on_no_tcp_port(folder: Path) -> None:
    with embedded_servers(folder, throw_away=True) as servers:
        postgres = _query(servers.database_url, "SHOW listen_addresses")
        with redis.Redis.from_url(servers.redis_url) as client:
            valkey = client.config_get("port")

    assert postgres == [("",)]
    assert valkey == {"port": "0"}


def test_postgres_is_set_up_for_short_transactions_and_stable_indexes(
    folder: Path,
) -> None:
    with embedded_servers(folder, throw_away=True) as servers:
        jit = _query(servers.database_url, "SHOW jit")
        locale = _query(
            servers.database_url,
            "SELECT datlocprovider::text, datlocale FROM pg_database"
            " WHERE datname = 'tickhook'",
        )

    assert jit == [("off",)]
    assert locale == [("b", "C.UTF-8")]


def test_committed_rows_survive_a_killed_postgres(folder: Path) -> None:
    first = start_postgres(folder / "postgres")
    _query(first.url, "CREATE TABLE kept AS SELECT 1 AS number")
    first.kill()

    second = start_postgres(folder / "postgres")
    rows = _query(second.url, "SELECT number FROM kept")
    second.stop()

    assert second.url == first.url
    assert rows == [(1,)]


def test_postgres_starts_although_its_old_process_id_is_in_use(
    folder: Path,
) -> None:
    first = start_postgres(folder / "postgres", throw_away=True)
    first.kill()
    pid_file = (folder / "postgres").resolve() / "cluster" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))

    second = start_postgres(folder / "postgres", throw_away=True)
    rows = _query(second.url, "SELECT 1")
    second.stop()

    assert rows == [(1,)]


def test_a_server_that_another_program_asked_to_stop_is_ended_and_started_again(
    folder: Path,
) -> None:
    said: list[str] = []
    start = partial(start_postgres, throw_away=True)
    embedded = ServerProgram(start, folder / "postgres")
    supervisor = Supervisor(say=said.append, first_delay_seconds=0.01)
    supervisor.start(embedded.service())
    first = supervisor.processes["postgres"]

    with psycopg.connect(embedded.url):  # SIGTERM waits for this client
        os.kill(first, signal.SIGTERM)
        assert wait_until(supervisor.check, timeout_seconds=60)
        assert wait_until(supervisor.check, timeout_seconds=60)

    assert supervisor.processes["postgres"] != first
    assert _query(embedded.url, "SELECT 1") == [(1,)]
    assert said[0] == (
        "postgres was asked to stop by another program; "
        "ending it now, to start it again"
    )
    assert len([line for line in said if "asked to stop" in line]) == 1
    supervisor.stop(timeout_seconds=10, kill_now=lambda: False)


def test_a_start_that_raises_leaves_no_process(folder: Path) -> None:
    server_folder = make_server_folder(folder / "postgres")
    log = folder / "one.log"

    def fail() -> bool:
        raise ValueError("not what we expect")

    plan = servers.ServerPlan(
        name="one",
        url="",
        command=["/bin/sleep", "60"],
        stop_signal=signal.SIGTERM,
        answers=fail,
    )
    lock = servers.lock_folder(server_folder)

    with pytest.raises(ValueError, match="not what we expect"):
        servers.start_server(plan, folder=server_folder, lock=lock, log=log)

    os.close(lock)
    os.close(servers.lock_folder(server_folder))  # held by the process while it lived


def test_keys_survive_a_killed_valkey(folder: Path) -> None:
    first = start_valkey(folder / "valkey")
    with redis.Redis.from_url(first.url) as client:
        client.set("kept", "yes")
    first.kill()

    second = start_valkey(folder / "valkey")
    with redis.Redis.from_url(second.url) as client:
        kept = client.get("kept")
    second.stop()

    assert kept == b"yes"


@pytest.mark.parametrize("start", [start_postgres, start_valkey])
def test_a_second_server_on_the_same_data_is_an_error(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    start: Callable[[Path], servers.Server],
) -> None:
    monkeypatch.setattr(servers, "_LOCK_TIMEOUT_SECONDS", 0)
    name = start.__name__.removeprefix("start_")
    first = start(folder / name)

    with pytest.raises(ServerAlreadyRunningError):
        start(folder / name)

    assert first.process.poll() is None
    first.stop()


def test_a_link_to_missing_data_is_an_error(folder: Path) -> None:
    (folder / "postgres").symlink_to(folder / "gone")

    with pytest.raises(FolderUnusableError, match="does not exist"):
        start_postgres(folder / "postgres")


def test_servers_end_when_their_starter_is_killed(folder: Path) -> None:
    script = (
        "import pathlib, sys, time\n"
        "from local.embedded import embedded_servers\n"
        "with embedded_servers(pathlib.Path(sys.argv[1])) as servers:\n"
        "    print(servers.postgres.process.pid, servers.valkey.process.pid)\n"
        "    sys.stdout.flush()\n"
        "    time.sleep(600)\n"
    )
    starter = subprocess.Popen(  # noqa: S603 (this Python, a script of ours)
        [sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert starter.stdout is not None
    with starter.stdout as output:
        pids = [int(pid) for pid in output.readline().split()]

    starter.send_signal(signal.SIGKILL)
    starter.wait()

    assert len(pids) == 2
    assert wait_until(lambda: all(map(is_gone, pids)), timeout_seconds=60)
