from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from local import environment
from local.environment import (
    StackAlreadyRunningError,
    load_keys,
    make_data_folder,
    read_json,
    stack_lock,
    write_private_json,
)


def test_keys_are_made_once_and_readable_only_for_their_owner(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"

    first, second = load_keys(path), load_keys(path)

    assert first == second
    assert path.stat().st_mode & 0o777 == 0o600
    Fernet(first.field_encryption_keys)


def test_a_key_that_an_older_version_did_not_make_is_added(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    made = asdict(load_keys(path))
    del made["flower_password"]
    write_private_json(path, made)

    keys = asdict(load_keys(path))

    assert keys == made | {"flower_password": keys["flower_password"]}
    assert len(keys["flower_password"]) >= 16
    assert read_json(path) == keys


def test_two_installations_share_no_key(tmp_path: Path) -> None:
    one, other = load_keys(tmp_path / "one.json"), load_keys(tmp_path / "other.json")

    assert one.secret_key != other.secret_key
    assert one.field_encryption_keys != other.field_encryption_keys
    assert one.admin_password != other.admin_password
    assert one.flower_login != other.flower_login


def test_a_private_file_is_replaced_in_one_step_and_stays_private(
    tmp_path: Path,
) -> None:
    path = tmp_path / "stack.json"
    path.write_text("{}")
    path.chmod(0o644)

    write_private_json(path, {"number": 1})

    assert read_json(path) == {"number": 1}
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["stack.json"]


def test_a_missing_file_reads_as_empty(tmp_path: Path) -> None:
    assert read_json(tmp_path / "none.json") == {}


def test_only_its_owner_can_list_the_data_folder(tmp_path: Path) -> None:
    make_data_folder(tmp_path / "data")

    assert (tmp_path / "data").stat().st_mode & 0o066 == 0


def test_the_error_of_a_second_stack_says_where_the_first_one_runs(
    tmp_path: Path,
) -> None:
    write_private_json(tmp_path / "credentials.json", {"url": "http://127.0.0.1:1"})

    with (
        stack_lock(tmp_path),
        pytest.raises(StackAlreadyRunningError) as refusal,
        stack_lock(tmp_path),
    ):
        pass

    assert str(refusal.value) == (
        f"Tickhook is already running on {tmp_path}: http://127.0.0.1:1 "
        f"(process {os.getpid()})"
    )


def test_a_stack_can_follow_one_that_ended(tmp_path: Path) -> None:
    with stack_lock(tmp_path):
        pass

    with stack_lock(tmp_path) as descriptor:
        assert environment._read_holder(descriptor) == os.getpid()
