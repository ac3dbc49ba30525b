"""Ledgers that were rewritten or cut short with every hash computed again are found out.

Method: as in `test_structured_edits`, from the same honest ledger. Who has no key leaves the old
checkpoints, so the first event after the newest one that still holds is named. Who holds the key
as well leaves nothing wrong behind, which is asserted; against that stand an auditor's memory, an
older checkpoint and a witness's cosignature, and each of them has to notice.
"""

import random  # noqa: TID251 - always from a seed
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.audit.state_file import AuditStateFile
from ledger.chain.heads import Relation, compare, head_of
from ledger.chain.merkle import memory_reader, prove_consistency
from tests.faults import test_structured_edits as edits
from tests.support.forger import Forger, Row
from tests.support.outsiders import CHECKPOINTS, EACH, EVENTS, QUICK, REMEMBERED, Honest

Draw = random.Random


# ---- edits with every hash computed again, but without the key -----------------------------------


def change_body(forger: Forger, draw: Draw) -> int:
    at = draw.randrange(2, EVENTS)
    row = forger.rows[at]
    assert row.body is not None
    row.body = row.body.replace(b"users/ada", b"users/eve")
    return at + 1


def change_time(forger: Forger, draw: Draw) -> int:
    at = draw.randrange(2, EVENTS)
    forger.rows[at].recorded_at = forger.rows[at - 1].recorded_at + 1
    return at + 1


def change_salt(forger: Forger, draw: Draw) -> int:
    at = draw.randrange(2, EVENTS)
    forger.rows[at].salt = draw.randbytes(16)
    return at + 1


def drop_one(forger: Forger, draw: Draw) -> int:
    at = draw.randrange(2, EVENTS - 1)
    del forger.rows[at]
    return at + 1


def double_one(forger: Forger, draw: Draw) -> int:
    at = draw.randrange(2, EVENTS)
    forger.rows.insert(at, Row(*vars(forger.rows[at - 1]).values()))
    forger.rows[at].salt = draw.randbytes(16)  # an equal salt would be told of by itself
    return at + 1


def swap_two(forger: Forger, draw: Draw) -> int:
    at = draw.randrange(2, EVENTS - 1)
    a, b = forger.rows[at : at + 2]
    a.recorded_at, b.recorded_at = b.recorded_at, a.recorded_at
    forger.rows[at : at + 2] = [b, a]
    return at + 1


def rename_stream(forger: Forger, draw: Draw) -> int:
    at = draw.randrange(2, EVENTS)
    forger.rows[at].stream = "models/elsewhere"
    return at + 1


REWRITES: dict[str, Callable[[Forger, Draw], int]] = {
    function.__name__: function
    for function in (
        change_body,
        change_time,
        change_salt,
        drop_one,
        double_one,
        swap_two,
        rename_stream,
    )
}


def seeds(count: int) -> list[Any]:
    """Return the seeds of single tests: beyond the first they are for the slow run."""
    few = QUICK * count // EACH
    later = [pytest.param(seed, marks=pytest.mark.slow) for seed in range(few, count)]
    return [*range(few), *later]


def rewritten(path: Path, name: str, seed: int) -> tuple[Forger, int]:
    """Change one event and compute everything after it again; return the first that differs."""
    draw = random.Random(f"{name} {seed}")
    forger = Forger(path)
    start = REWRITES[name](forger, draw)
    forger.renumber(start)
    forger.store_all()
    return forger, start


@pytest.mark.parametrize("count", edits.COUNTS)
@pytest.mark.parametrize("name", REWRITES)
def test_a_rewritten_suffix_is_found_after_the_newest_checkpoint_that_holds(
    name: str, count: int, honest: Honest, copy: Callable[[], Path]
) -> None:
    for seed in range(count):
        forger, start = rewritten(copy(), name, seed)
        start = honest.first_difference(forger.rows)  # equal neighbours may have been swapped
        forger.close()
        report = honest.audit(forger.path)
        expected = len(forger.rows) + 1  # where the newest checkpoint covers one event more
        if any(start <= size <= len(forger.rows) for size in honest.sizes):
            expected = honest.after_last_good(start)
        assert report.first_bad_position == expected, (name, seed, start, report.text())


@pytest.mark.parametrize("seed", seeds(EACH))
def test_a_ledger_cut_short_consistently_is_found_by_its_checkpoints(
    seed: int, honest: Honest, copy: Callable[[], Path]
) -> None:
    forger = Forger(copy())
    size = random.Random(f"cut {seed}").randrange(2, EVENTS)
    forger.rows = forger.rows[:size]
    forger.store_all()
    forger.close()
    report = honest.audit(forger.path)
    assert report.findings[0].rule == "truncation"
    assert report.first_bad_position == size + 1


# ---- with the key as well ------------------------------------------------------------------------


@pytest.mark.parametrize("count", edits.COUNTS)
@pytest.mark.parametrize("name", REWRITES)
def test_an_owner_of_the_key_too_is_caught_by_a_client_that_remembers(
    name: str, count: int, honest: Honest, copy: Callable[[], Path], tmp_path: Path
) -> None:
    caught = 0
    for seed in range(count // 2):
        forger, _ = rewritten(copy(), name, seed)
        start = honest.first_difference(forger.rows)
        forger.sign_again(honest.key, start)
        newest = forger.checkpoint(max(forger.sizes()))
        leaves = [row.event_hash for row in forger.rows]
        forger.close()
        assert honest.audit(forger.path).passed, "nothing in the database speaks against it"
        # An auditor who was here before, if what was rewritten had been there then.
        state = shutil.copy(honest.state, tmp_path / "state")
        report = honest.audit(forger.path, memory=AuditStateFile(Path(state)))
        is_old = start <= REMEMBERED
        assert report.passed != is_old, (name, seed, start, report.text())
        if is_old:
            assert report.findings[0].rule == "memory"
            assert len(report.evidence) == 2, "both heads are kept"
            caught += 1
        # Anybody who kept the newest checkpoint: no proof joins it to what is signed now.
        judged = compare(honest.head(EVENTS), head_of(newest), None)
        if newest.size == EVENTS:
            assert judged.relation is Relation.FORK
        proof = prove_consistency(CHECKPOINTS[-2], newest.size, memory_reader(leaves))
        old = honest.head(CHECKPOINTS[-2])
        judged = compare(old, head_of(newest), proof)
        assert (judged.relation is Relation.NEWER) == (start > CHECKPOINTS[-2])
        # A witness that cosigned the genuine ones: its lines are false under the new ones.
        report = honest.audit(forger.path, policy=honest.policy)
        cosigned = [size for size in honest.sizes if size < start]
        assert report.witnessed_size == max(cosigned, default=0)
        assert {one.rule for one in report.findings} == {"witnesses"}
    assert caught


@pytest.mark.parametrize("seed", seeds(EACH // 2))
def test_a_ledger_cut_short_by_an_owner_of_the_key_is_caught_by_a_client_that_remembers(
    seed: int, honest: Honest, copy: Callable[[], Path], tmp_path: Path
) -> None:
    forger = Forger(copy())
    size = random.Random(f"cut {seed}").randrange(CHECKPOINTS[0], REMEMBERED)
    forger.rows = forger.rows[:size]
    forger.store_all()
    forger.sign_again(honest.key, 1)
    forger.close()
    assert honest.audit(forger.path).passed
    state = shutil.copy(honest.state, tmp_path / "state")
    report = honest.audit(forger.path, memory=AuditStateFile(Path(state)))
    assert report.findings[0].rule == "memory"
    assert report.first_bad_position == size + 1


def test_a_cosignature_taken_over_to_a_rewritten_checkpoint_is_found(
    honest: Honest, copy: Callable[[], Path]
) -> None:
    forger, start = rewritten(copy(), "change_body", 1)
    forger.sign_again(honest.key, start)
    forger.close()
    report = honest.audit(forger.path, policy=honest.policy)
    # The lines are still there, under notes that they were not made for.
    assert report.witnessed_size < start


def test_a_thousand_forgeries_are_tried_in_the_slow_run() -> None:
    beside = len(edits.NAIVE) + len(edits.TABLES)
    assert (beside + len(REWRITES) * 1.5 + 1.5) * EACH >= 1_000
