"""An executor that reports when it likes passes no observation that asks for late evidence.

Method: stories in memory, whose gate counts a report only once 90% of its window is over.
"""

from typing import Any

import pytest

from ledger.events.values import PPM, SECOND
from ledger.jobs.conclusions import verdict
from ledger.jobs.evidence_words import ReportAt, evidence_words
from ledger.jobs.windows import window_share
from tests.support.job_stories import GATES, GOOD, ONE, WINDOW_SECONDS, Story, gate

LATE = gate("observation", GOOD, window_seconds=WINDOW_SECONDS, evidence_after_ppm=900_000)


def observing(last: dict[str, Any] = LATE) -> Story:
    return Story().observing(gates=[*GATES[:-1], last])


def at(story: Story, ppm: int) -> None:
    """Let so much of the window be over."""
    version = story.job().deployed
    assert version is not None
    assert version.observed_until is not None
    story.now = version.observed_until - (PPM - ppm) * WINDOW_SECONDS * SECOND // PPM


def words(story: Story, *, is_judged: bool = True) -> str:
    of_gate = [
        ReportAt(position, data.to_data())
        for position, (_, _, data) in enumerate(story.events, 101)
        if data.TYPE == "gate.reported.v1" and data.to_data()["gate"] == "observation"
    ]
    judged = [data.to_data() for _, _, data in story.events if data.TYPE == "gate.judged.v1"]
    gate_ = story.job().gate_of("observation")
    assert gate_ is not None
    return evidence_words(gate_, judged[-1] if is_judged else None, of_gate)


def ended(story: Story) -> str:
    at(story, PPM)
    assert not story.observe()
    return story.job().state


@pytest.mark.parametrize(("ppm", "state"), [(0, "rolling_back"), (899_999, "rolling_back"),
                                            (900_000, "closed"), (999_999, "closed")])  # fmt: skip
def test_a_report_counts_from_the_stated_share_of_the_window_on(ppm: int, state: str) -> None:
    story = observing()
    at(story, ppm)
    assert not story.report(ONE, "observation", 1)
    assert (story.job().report is None) is (state == "rolling_back")
    assert ended(story) == state


def test_without_the_member_a_report_at_the_first_second_counts() -> None:
    story = observing(gate("observation", GOOD, window_seconds=WINDOW_SECONDS))
    assert not story.report(ONE, "observation", 1)
    assert ended(story) == "closed"


def test_an_early_report_is_taken_at_its_cost_and_no_verdict_reads_it() -> None:
    story = observing()
    assert not story.report(ONE, "observation", 1, cost=7)
    assert (story.job().cost_micros, story.job().evidence) == (7, {})
    found = verdict(story.job())
    assert (found.report, found.is_passed) == (None, False)
    assert "was not reported" in found.criteria[0].sentence


def test_a_report_cannot_say_that_more_or_less_of_its_window_is_over() -> None:
    story = observing()
    at(story, 500_000)
    honest = story.reported("observation")
    assert honest.window_ppm == 500_000
    for said in (499_999, 500_001, 950_000, None):
        forged = honest.model_copy(update={"window_ppm": said})
        assert "of its window is said to be over" in story.add(ONE, forged)
    assert not story.add(ONE, honest)
    leased = Story().leased()
    early = leased.reported("data_integrity").model_copy(update={"window_ppm": 0})
    assert "nothing is observed" in leased.add(ONE, early)


def test_no_share_is_beyond_the_window() -> None:
    story = observing()
    job = story.job()
    assert window_share(job, story.now - SECOND) == 0
    assert window_share(job, story.now + 2 * WINDOW_SECONDS * SECOND) == PPM
    assert window_share(Story().leased().job(), story.now) is None


def test_it_is_said_on_which_report_an_observation_rests_and_what_the_others_had_said() -> None:
    story = observing(gate("observation", GOOD, window_seconds=WINDOW_SECONDS))
    for ppm in (0, 200_000, 400_000, 600_000):
        at(story, ppm)
        assert not story.report(ONE, "observation", 500)
    assert not story.report(ONE, "observation", 1)
    rests = (
        f"It rests on the report at position {story.position}, when 60.0% of the window was over"
    )
    others = "; of 4 other reports 4 did not meet its criteria."
    assert words(story, is_judged=False) == f"{rests}."
    assert ended(story) == "closed"
    assert words(story) == rests + others


def test_it_is_said_where_no_report_counts() -> None:
    story = observing()
    assert words(story, is_judged=False) == ""
    assert not story.report(ONE, "observation", 1)
    newest = story.position
    assert ended(story) == "rolling_back"
    assert words(story) == (
        f"No report counts: the newest is at position {newest}, when 0.0% of the window was over, "
        "and 90% of it has to be; of 1 other report 0 did not meet its criteria."
    )
