"""In words: when the evidence came that an observation rests on, and what the rest had said."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from ledger.events.notation import counted, percent, share
from ledger.jobs.windows import is_early

_Data = Mapping[str, Any]


OBSERVATION: Final = "observation"


class ReportAt(NamedTuple):
    """A report on an observation, and where it is."""

    position: int
    data: _Data


def evidence_words(gate: _Data, judged: _Data | None, reports: Sequence[ReportAt]) -> str:
    """Return which report an observation rests on, and how many others the verdict found unmet.

    `reports`: those of its job, in order; `judged`: the verdict, None while it is not due, when
    the newest report that counts would be judged. Empty where nothing was reported.
    """
    reports = [one for one in reports if one.data["gate"] == gate["gate"] == OBSERVATION]
    if not reports:
        return ""
    if judged is None:
        counts = [one for one in reports if not is_early(gate, one.data["window_ppm"])]
        at = counts[-1].position if counts else None
    else:
        at = judged["report"]
    chosen = next((one for one in reports if one.position == at), None)
    others = "" if judged is None else _others(judged["others"], judged["others_unmet"])
    return f"{_which(gate, chosen, reports[-1])}{others}."


def _which(gate: _Data, chosen: ReportAt | None, newest: ReportAt) -> str:
    if chosen is not None:
        return f"It rests on the report at position {chosen.position}, {_when(chosen)}"
    after = share(gate["evidence_after_ppm"] or 0)
    return (
        f"No report counts: the newest is at position {newest.position}, {_when(newest)}, and "
        f"{after} of it has to be"
    )


def _when(report: ReportAt) -> str:
    return f"when {percent(report.data['window_ppm'] or 0)} of the window was over"


def _others(others: int, unmet: int) -> str:
    if not others:
        return ""
    return f"; of {counted(others, 'other report')} {unmet} did not meet its criteria"
