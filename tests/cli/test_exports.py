"""`export create|list` and `verify`: a bundle here, resumed, verified, refused with code 4."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from ledger.cli.exits import Exit
from ledger.client import LedgerClient
from ledger.client.errors import UnreachableError
from tests.cli.conftest import Run
from tests.support.hooks import patch_constant
from tests.support.served import Served
from tools.shapes import SHAPES, fields_of


@pytest.fixture
def key(told: Run) -> str:
    return str(told("vkey", "--json").json["verifier_key"])


@pytest.mark.parametrize("name", ["bundle", "bundle.tar"])
def test_a_bundle_is_fetched_verified_and_verified_again(
    name: str, told: Run, key: str, tmp_path: Path
) -> None:
    out = tmp_path / "to" / name
    made = told("export", "create", str(out), "--json")
    assert made.code == 0, made.err
    assert "Its key came from the ledger itself" in made.err
    again = told("verify", str(out), "--vkey", key, "--json")
    assert again.code == 0, again.err
    assert again.json == made.json
    assert made.json["events"] == made.json["checkpoint_size"]
    assert [path.name for path in out.parent.iterdir()] == [name]
    listed = told("export", "list", "--json").json["exports"]
    assert [export["manifest_digest"] for export in listed] == [
        made.json["bundle"]["manifest_digest"]
    ]
    gone = told("export", "delete", listed[0]["name"], "--json").json
    assert tuple(gone) == fields_of(SHAPES["export delete"])
    assert told("export", "list", "--json").json["exports"] == []
    assert told("export", "delete", listed[0]["name"]).code == Exit.REFUSED


@pytest.mark.parametrize("name", ["bundle", "bundle.tar"])
def test_only_the_owner_may_read_a_bundle_that_was_fetched(
    name: str, told: Run, key: str, tmp_path: Path
) -> None:
    out = tmp_path / "to" / name
    before = os.umask(0)
    try:
        assert told("export", "create", str(out), "--vkey", key).code == 0
    finally:
        os.umask(before)
    for path in (out.parent, *out.parent.rglob("*")):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), f"{path}: {mode:o}"


def test_parts_are_named_by_stream_position_and_time(told: Run, key: str, tmp_path: Path) -> None:
    stream = told(
        "export", "create", str(tmp_path / "s.tar"), "--stream", "models/fares", "--vkey", key,
        "--withhold-type", "signal.observed.v1", "--withhold-reason", "secret", "--json",
    )  # fmt: skip
    assert stream.err == ""
    made = stream.json["bundle"]
    assert (made["kind"], made["stream"]) == ("stream", "models/fares")
    reasons = {one["reason"]: one["count"] for one in stream.json["gaps"]}
    assert stream.json["withheld"] == reasons["withheld, secret"] == 80
    part = told("export", "create", str(tmp_path / "p.tar"), "--from", "3", "--to", "7", "--json")
    assert (part.json["first_position"], part.json["last_position"]) == (3, 7)
    timed = told(
        "export", "create", str(tmp_path / "t.tar"), "--from", "2026-02-01", "--to", "2026-03-01",
    )  # fmt: skip
    assert timed.code == 0
    assert "events verified, positions" in timed.out


def test_a_damaged_bundle_ends_with_4_and_the_place(told: Run, key: str, tmp_path: Path) -> None:
    out = tmp_path / "bundle"
    assert told("export", "create", str(out)).code == 0
    events = out / "data" / "events.jsonl"
    content = events.read_bytes()
    events.write_bytes(content.replace(b'"value":"0.44"', b'"value":"0.11"', 1))
    ran = told("verify", str(out), "--vkey", key)
    line = content[: content.index(b'"value":"0.44"')].count(b"\n") + 1
    assert ran.code == 4
    assert f"data/events.jsonl, line {line}: the body does not have" in ran.err


def test_a_key_or_policy_from_elsewhere_is_needed(told: Run, key: str, tmp_path: Path) -> None:
    out = tmp_path / "bundle.tar"
    assert told("export", "create", str(out)).code == 0
    assert told("verify", str(out)).code == 2
    policy = tmp_path / "policy"
    policy.write_text(f"log {key}\nquorum none\n")
    assert told("verify", str(out), "--witness-policy", str(policy)).code == 0
    policy.write_text(f"log {key}\nquorum nobody\n")
    assert told("verify", str(out), "--witness-policy", str(policy)).code == 2
    assert told("verify", str(out), "--vkey", "x+00000000+AAAA").code == 2
    assert told("verify", str(tmp_path / "none"), "--vkey", key).code == 2


@pytest.mark.parametrize(
    "flags",
    [("--full", "--from", "3"), ("--stream", "models/fares", "--to", "3"), ("--from", "soon")],
)
def test_flags_that_exclude_each_other_are_misuse(
    told: Run, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    assert told("export", "create", str(tmp_path / "x"), *flags).code == 2
    assert list(tmp_path.glob("x*")) == []


def test_what_is_refused_leaves_nothing_behind(told: Run, tmp_path: Path) -> None:
    refused = told("export", "create", str(tmp_path / "x"), "--stream", "models/none")
    assert refused.code == 1
    assert "has no events" in refused.err
    assert list(tmp_path.glob("x*")) == []
    (tmp_path / "x").mkdir()
    assert told("export", "create", str(tmp_path / "x")).code == 2


class Breaking:
    """Breaks a client's transfers after some pieces, as a lost connection would."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, breaks: int) -> None:
        self.offsets: list[int] = []
        original = LedgerClient.read_export

        def read(client: LedgerClient, name: str, *, offset: int = 0) -> Any:  # noqa: ANN401
            self.offsets.append(offset)
            for at, part in enumerate(original(client, name, offset=offset)):
                if at == 3 and len(self.offsets) <= breaks:
                    raise UnreachableError("server", "gone")
                yield part

        monkeypatch.setattr(LedgerClient, "read_export", read)
        monkeypatch.setattr("time.sleep", lambda _: None)


def test_a_lost_connection_is_taken_up_where_it_broke(
    told: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Breaking(monkeypatch, breaks=2)
    assert told("export", "create", str(tmp_path / "x")).code == 0
    assert len(broken.offsets) == 3
    assert broken.offsets == sorted(set(broken.offsets))


def test_the_same_command_again_goes_on_with_the_same_export(
    told: Run, served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = str(tmp_path / "x.tar")
    with monkeypatch.context() as patched:

        def gone(_: LedgerClient, name: str, *, offset: int = 0) -> Any:  # noqa: ANN401
            raise UnreachableError(name, f"gone at {offset}")

        patched.setattr(LedgerClient, "read_export", gone)
        patched.setattr("time.sleep", lambda _: None)
        assert told("export", "create", out).code == 3
    assert json.loads((tmp_path / "x.tar.asked").read_text())["asked"]["kind"] == "FULL"
    other = told("export", "create", out, "--stream", "models/fares")
    assert other.code == 2
    assert "another export" in other.err
    assert told("export", "create", out).code == 0
    assert len(served.service.exports().all()) == 1
    assert sorted(path.name for path in tmp_path.glob("x*")) == ["x.tar"]


def test_what_came_of_another_export_is_not_mixed_with_this_one(
    told: Run, served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Method: a transfer breaks; the next try is refused, and the one after asks again."""
    out = tmp_path / "x.tar"
    Breaking(monkeypatch, breaks=100)
    with monkeypatch.context() as patched:
        patch_constant(patched, "tries of a fetch", 1)
        assert told("export", "create", str(out)).code == 3
    part = tmp_path / "x.tar.part"
    part.write_bytes(part.read_bytes() or bytes(1_000))
    (tmp_path / "x.tar.asked").unlink()  # as after a refusal
    monkeypatch.undo()
    ran = told("export", "create", str(out))
    assert ran.code == 0, ran.err
    assert len(served.service.exports().all()) == 2
