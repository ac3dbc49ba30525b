"""What the ledger observed of a job's version, as evidence: sums in integers, by hand."""

import hashlib

from ledger.events.values import SECOND
from ledger.jobs.conclusions import verdict
from ledger.jobs.observed import SeenSignal, observed_in, window_of
from tests.support.job_stories import GATES, NOW, ONE, TWO, WINDOW_SECONDS, Story, gate

CRITERION = 'observed["loss"] <= 300 && rows["loss"] >= 10'
BETTER = 'compared["loss"] < replaced["loss"]'


def watched(when: str = CRITERION, before: str = "") -> Story:
    """Return a story whose job is observed by the ledger alone; `before` gave it up at first."""
    last = gate("observation", when, window_seconds=WINDOW_SECONDS, signals=["loss"], metrics=[])
    story = Story()
    assert not story.propose(gates=[*GATES[:-1], last])
    assert not story.approve("users/bob")
    if before:
        assert not story.lease(before)
        assert not story.give_up(before, 1)
    assert not story.lease()
    for name in ("data_integrity", "candidate", "holdout"):
        assert not story.report(ONE, name)
    assert not story.approve("users/bob", "deployment", "model-owner")
    assert not story.lease()
    assert not story.deploy()
    return story


def seen(
    position: int,
    micros: int,
    rows: int,
    *,
    version: str = "v2",
    at: int = NOW,
    source: str = TWO,
    signal: str = "loss",
) -> SeenSignal:
    return SeenSignal(position, version, signal, at, source, rows, micros * 1_000)


def digest(*lines: str) -> str:
    return hashlib.sha256(
        "".join(f"{NOW + int(line[0])}{line[1:]}\n" for line in lines).encode()
    ).hexdigest()


def test_a_mean_is_by_rows_and_rounded_down() -> None:
    [found] = observed_in(watched().job(), [seen(7, 100, 1), seen(5, 201, 2)])
    assert (found.signal, found.observations, found.rows) == ("loss", 2, "3")
    assert found.mean_micros == str((100 + 2 * 201) // 3) == "167"
    assert found.rests_on_sha256 == digest(f"0 v2 {TWO} 2 201000", f"0 v2 {TWO} 1 100000")
    assert (found.compared_rows, found.compared_mean_micros) == ("0", None)


def test_versions_are_compared_on_the_rows_of_both() -> None:
    alike = [seen(7, 100, 10), seen(8, 300, 10, version="v1")]
    alone = [
        seen(9, 900, 10, at=NOW + 1),
        seen(10, 1, 11, version="v1", at=NOW + 1),  # other rows
        seen(11, 1, 10, version="v1", at=NOW + 2),
        seen(12, 1, 10, version="v0"),
        seen(13, 1, 10, version="v1", source="services/other"),
    ]
    [found] = observed_in(watched().job(), [*alone, *alike])
    assert (found.observations, found.rows, found.mean_micros) == (2, "20", "500")
    compared = found.compared_rows, found.compared_mean_micros, found.replaced_mean_micros
    assert compared == ("10", "100", "300")
    lines = f"0 v2 {TWO} 10 100000", f"0 v1 {TWO} 10 300000", f"1 v2 {TWO} 10 900000"
    assert found.rests_on_sha256 == digest(*lines)


def test_what_its_own_executor_observed_does_not_count() -> None:
    [found] = observed_in(watched().job(), [seen(7, 100, 10, source=ONE), seen(8, 1, 1)])
    assert (found.observations, found.rows) == (1, "1")


def test_what_an_executor_observed_that_gave_the_job_up_does_not_count_either() -> None:
    story = watched(before=TWO)
    sources = (ONE, TWO, "services/monitor")
    found = observed_in(story.job(), [seen(7, 100, 10, source=source) for source in sources])
    assert [one.observations for one in found] == [1]


def test_a_window_ends_before_the_observation_is_over() -> None:
    story = watched()
    until = story.job().deployed
    assert until is not None
    assert until.observed_until is not None
    first, last = window_of(story.job()) or (0, 0)
    assert last == until.observed_until - 1
    assert last - first == WINDOW_SECONDS * SECOND - 1
    assert window_of(Story().observing().job()) is None


def test_a_verdict_is_by_what_was_observed_and_nothing_observed_is_not_passed() -> None:
    for micros, rows, is_passed in ((300, 10, True), (301, 10, False), (300, 9, False)):
        story = watched()
        found = verdict(story.job(), observed_in(story.job(), [seen(7, micros, rows)]))
        assert found.is_passed is is_passed
        assert found.criteria[0].values == {
            'observed["loss"]': str(micros),
            'rows["loss"]': str(rows),
        }
    story = watched()
    nothing = verdict(story.job(), observed_in(story.job(), []))
    assert not nothing.is_passed
    assert 'observed["loss"] was not observed' in nothing.criteria[0].sentence
    alone = verdict(watched(BETTER).job(), observed_in(story.job(), [seen(7, 1, 10)]))
    assert not alone.is_passed


def test_a_verdict_names_every_signal_of_its_gate_and_no_report_is_needed() -> None:
    story = watched()
    story.now += WINDOW_SECONDS * SECOND
    assert "other signals" in story.observe()
    passed = verdict(story.job(), observed_in(story.job(), [seen(7, 1, 10)]))
    softened = passed.model_copy(update={"is_passed": True, "criteria": []})
    assert "give another verdict" in story.add("system/governor", softened)
    assert not story.add("system/governor", passed)
    assert (story.job().state, story.job().outcome) == ("closed", "succeeded")


def test_the_benefit_is_the_loss_that_was_avoided_at_the_value_of_its_unit() -> None:
    for new, old, benefit in ((100, 300, 4), (300, 100, -4), (100, 101, 0), (101, 100, -1)):
        story = watched()
        both = [seen(7, new, 10_000), seen(8, old, 10_000, version="v1")]
        story.now += WINDOW_SECONDS * SECOND
        assert not story.add(
            "system/governor", verdict(story.job(), observed_in(story.job(), both))
        )
        closed = story.events[-1][2].to_data()
        if new <= 300:
            assert closed["realised"] == {
                "signal": "loss",
                "rows": "10000",
                "change_micros": str(new - old),
                "benefit_micros": str(-(new - old) * 10_000 * 2_000_000 // 1_000_000),
            }
        assert int(closed["realised"]["benefit_micros"]) // 1_000_000 == benefit
    alone = watched()
    alone.now += WINDOW_SECONDS * SECOND
    one = [seen(7, 100, 10)]
    assert not alone.add("system/governor", verdict(alone.job(), observed_in(alone.job(), one)))
    assert alone.events[-1][2].to_data()["realised"] is None


def test_an_observation_that_is_not_passed_takes_the_version_back() -> None:
    story = watched()
    story.now += WINDOW_SECONDS * SECOND
    failed = verdict(story.job(), observed_in(story.job(), [seen(7, 301, 10)]))
    assert not story.add("system/governor", failed)
    assert story.job().state == "rolling_back"
