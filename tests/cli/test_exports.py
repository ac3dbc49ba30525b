"""`export create|list` and `verify`: a bundle here, resumed, verified, refused with code 4."""

import json
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger.cli.exits import Exit
from ledger.client import LedgerClient
from ledger.client.errors import UnreachableError
from ledger.client.proofs import Export
from ledger.clock import SystemClock
from tests.cli.conftest import Run
from tests.support.chained import log_key, small_chained
from tests.support.hooks import patch_constant
from tests.support.served import Served
from tests.verifier.writing import load_tool, write_bundle
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


def test_a_bundle_that_the_ledger_does_not_name_as_issued_is_refused(
    told: Run, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Method: a server hands out the bundle of another export, which verifies and was issued."""
    assert told("export", "create", str(tmp_path / "a"), "--vkey", key).code == 0
    other = told("export", "list", "--json").json["exports"][0]
    read, get = LedgerClient.read_export, LedgerClient.get_export

    def another(client: LedgerClient, _: str, *, offset: int = 0) -> Any:  # noqa: ANN401
        return read(client, other["name"], offset=offset)

    def as_long(client: LedgerClient, name: str) -> Export:
        return replace(get(client, name), archive_bytes=other["archive_bytes"])

    monkeypatch.setattr(LedgerClient, "read_export", another)
    monkeypatch.setattr(LedgerClient, "get_export", as_long)
    ran = told("export", "create", str(tmp_path / "b.tar"), "--vkey", key)
    assert ran.code == Exit.INTEGRITY
    assert "is not the one that the event at position" in ran.err
    assert not (tmp_path / "b.tar").exists()


@pytest.mark.parametrize(("now_days", "code"), [(27, 0), (29, 4)])
def test_a_stream_by_an_old_seal_is_refused_by_both_commands_where_its_age_is_bounded(
    now_days: int,
    code: int,
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Method: five observations came after the seal; the time of day is given to both programs."""
    ledger = small_chained()
    for number in range(5):
        ledger.add("signal.observed.v1", {"n": number}, "models/m1")
    out = write_bundle(tmp_path / "b", ledger, stream="models/m1", seal=9)
    now = 1_772_359_200 + now_days * 86_400
    monkeypatch.setattr(SystemClock, "now_micros", lambda _: now * 1_000_000)
    line = (str(out), "--vkey", log_key(1).vkey, "--max-seal-age", "28d")
    ran = run("verify", *line)
    assert ran.code == code
    said = ran.err if code else ran.out
    assert "complete up to position 8, recorded at 2026-03-01T10:00:09Z; the" in said
    assert "the checkpoint is 8 events newer" in said
    assert ("at most 28d was asked for" in said) == bool(code)
    not_shown = "Not checked (complete, 8 times): whether events after position 8 are of models/m1."
    assert (not_shown in said) == (not code)
    tool = load_tool()
    monkeypatch.setattr(tool.time, "time", lambda: float(now))
    assert tool.main(line) == code
    assert ("at most 28d before the checkpoint" in capsys.readouterr().err) == bool(code)


def test_a_seals_age_is_for_a_bundle_and_a_span_of_time(run: Run, tmp_path: Path) -> None:
    out = write_bundle(tmp_path / "b", small_chained())
    line = ("verify", str(out), "--vkey", log_key(1).vkey, "--max-seal-age")
    assert run(*line, "28").code == Exit.MISUSE
    assert run(*line, "0s").code == 0, "a full bundle ends with the newest event"
    (tmp_path / "r").write_text('{"checkpoint":"x"}')
    assert "is not for a" in run("verify", str(tmp_path / "r"), *line[2:], "1d").err
