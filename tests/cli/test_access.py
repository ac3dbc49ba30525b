"""`log access` shows who read what, and commands that read much say what for.

Method: commands in this process against a server that records reads, then what is on record.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.events.access import ACCESS_KINDS, AccessRecorded
from ledger.events.registry import typed
from tests.cli.conftest import Run, against
from tests.support.hooks import accesses_in
from tests.support.served import Served, serving
from tests.support.server_process import until


@pytest.fixture
def served(folder: Path) -> Iterator[Served]:
    """A server that records reads."""
    with serving(
        folder, access__seconds=3_600.0, access__recorded=ACCESS_KINDS, accounts__seconds=0.0
    ) as server:
        server.prepare()
        yield server


def recorded(served: Served) -> list[AccessRecorded]:
    """Have all that was read recorded, and return the accesses."""
    accesses_in(served.service).record(is_last=True)
    events = served.service.ledger().log.events(types=(AccessRecorded.TYPE,))
    return [typed(event, AccessRecorded) for event in events]


@pytest.mark.parametrize(
    ("line", "purpose"),
    [
        (("audit", "run"), "audit"),
        (("audit", "answer", "clocks"), "audit answer"),
        (("verify",), "verification"),
        (("compliance", "export"), "compliance tables"),
    ],
)
def test_a_command_that_reads_much_says_what_for(
    cli: Run, served: Served, tmp_path: Path, line: tuple[str, ...], purpose: str
) -> None:
    arguments = (*line, str(tmp_path / "tables")) if line[0] == "compliance" else line
    ran = cli(*arguments, "--actor", "users/auditor")
    assert ran.code == 0, ran.err
    (access,) = recorded(served)
    assert (access.actor, access.method, access.purpose, access.address) == (
        "users/auditor", "ListEvents", purpose, "127.0.0.1",
    )  # fmt: skip
    assert access.events > 0


def test_log_access_lists_accesses_and_reads_by_day_for_people_and_programs(
    cli: Run, served: Served
) -> None:
    assert cli("audit", "run", "--actor", "users/auditor").code == 0
    head = served.head()
    recorded(served)
    ran = cli("log", "access")
    lines = [line.split() for line in ran.out.splitlines()]
    assert lines[0] == ["STARTED", "ACTOR", "ADDRESS", "READ", "PURPOSE"]
    read = f"ListEvents: {2 * head} events, 1 to {head}"  # for the hashes, and for the rules
    assert lines[1][1:] == ["users/auditor", "127.0.0.1", *read.split(), "audit"]
    assert ["DAY", "ACTOR", "METHOD", "READS"] in lines
    assert any(line[1:3] == ["users/auditor", "GetCheckpoint"] for line in lines if len(line) == 4)
    shown = cli("log", "access", "--by", "users/auditor", "--json").json
    (access,) = shown["accesses"]
    assert (access["actor"], access["purpose"], access["last_position"]) == (
        "users/auditor",
        "audit",
        head,
    )
    assert {row["actor"] for row in shown["reads"]} == {"users/auditor"}
    of_bob = cli("log", "access", "--by", "users/bob", "--json").json
    assert of_bob == {"accesses": [], "reads": [], "refusals": []}
    assert cli("log", "access", "--by", "Bob").code == 2


def test_log_access_lists_whose_calls_were_refused_and_from_where(tmp_path: Path) -> None:
    with serving(tmp_path, refusals__seconds=0.05) as server:
        server.prepare()
        cli = against(server)
        assert cli("model", "show", "nowhere", "--actor", "users/eve").code == 1

        def refusals() -> list[dict[str, str]]:
            listed = cli("log", "access", "--by", "users/eve", "--json").json["refusals"]
            return list(listed)

        until(lambda: bool(refusals()), "the refusal is on record")
        (row,) = refusals()
        assert (row["address"], row["reason"]) == ("127.0.0.1", "MODEL_UNKNOWN")
        lines = [line.split() for line in cli("log", "access").out.splitlines()]
    shown = ["users/eve", "127.0.0.1", "GetModel", "MODEL_UNKNOWN", "1"]
    assert ["LAST", "REFUSED", "ACTOR", "ADDRESS", "METHOD", "REASON", "CALLS"] in lines
    assert shown in [line[1:] for line in lines]


def test_what_is_listed_says_which_export_was_read(
    cli: Run, served: Served, tmp_path: Path
) -> None:
    assert cli("export", "create", str(tmp_path / "bundle")).code == 0
    (access,) = (one for one in recorded(served) if one.export)
    said = f"ReadExport: {access.archive_bytes} bytes of export {access.export}"
    assert access.archive_bytes > 0
    assert said in cli("log", "access").out
