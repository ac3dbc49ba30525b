"""Forgeries of signals: a standard turned round; corrections of something else, and twice."""

from collections.abc import Callable
from typing import Any, Final

from ledger.events.standard_signals import standard
from tests.audit.paper import Paper


def corrected(paper: Paper, target: int, **changes: object) -> int:
    """Append a correction of an observation, by its source."""
    seen = paper.at(target)
    assert isinstance(seen.body, dict)
    first = (seen.data.get("corrects") or {}).get("first", target)
    more: dict[str, Any] = {"estimated": False, "indicators": {}, "raw": None, "report": None}
    more |= {"corrects": {"position": target, "first": first}}
    actor = str(changes.pop("actor", seen.body["actor"]))
    stream = str(changes.pop("stream", seen.stream))
    data = seen.data | more | changes
    return paper.append(stream, "signal.observed.v2", data, actor=actor)


def correct_what_is_not_there(paper: Paper) -> int:
    target = paper.find("signal.observed.v1", signal="loss")[0]
    return corrected(paper, target, corrects={"position": 1, "first": 1})


def correct_what_was_corrected(paper: Paper) -> int:
    target = paper.find("signal.observed.v1", signal="loss")[0]
    again = corrected(paper, target, value="0.5")
    corrected(paper, again, value="0.6")
    return corrected(paper, target, value="0.7")


def correct_another_signal(paper: Paper) -> int:
    return corrected(paper, paper.find("signal.observed.v1", signal="loss")[0], signal="drift")


def correct_another_model(paper: Paper) -> int:
    target = next(
        at
        for at in paper.find("signal.observed.v1", signal="loss")
        if paper.at(at).stream == "models/beta"
    )
    return corrected(paper, target, stream="models/alpha")


def correct_another_time(paper: Paper) -> int:
    seen = paper.find("signal.observed.v1", signal="loss")
    return corrected(paper, seen[0], observed_at=paper.at(seen[0]).data["observed_at"][:-2] + "1Z")


def correct_anothers(paper: Paper) -> int:
    target = paper.find("signal.observed.v1", signal="loss")[0]
    return corrected(paper, target, actor="services/monitor-2")


def correct_another_version(paper: Paper) -> int:
    target = paper.find("signal.observed.v1", signal="loss")[0]
    return corrected(paper, target, model_version="v0")


def begin_a_chain_elsewhere(paper: Paper) -> int:
    first, other = paper.find("signal.observed.v1", signal="loss")[:2]
    return corrected(paper, other, corrects={"position": other, "first": first})


def adopt_a_standard_turned_round(paper: Paper) -> int:
    entry = standard("psi", 1)
    assert entry is not None
    data = paper.at(paper.find("signal.defined.v1", signal="loss")[-1]).data
    of_entry: dict[str, Any] = {
        "signal": "psi",
        "kind": entry.kind,
        "unit": entry.unit,
        "owner": "team",
    }
    of_entry |= {"standard": {"name": "psi", "version": 1}, "direction": "lower_is_worse"}
    return paper.append("signals/psi", "signal.defined.v2", data | of_entry)


CORRECTED: Final[dict[str, Callable[[Paper], int]]] = {
    "meanings.standard": adopt_a_standard_turned_round,
    "corrections.present": correct_what_is_not_there,
    "corrections.alike": correct_another_signal,
    "corrections.newest": correct_what_was_corrected,
}

MORE: Final[dict[str, tuple[str, Callable[[Paper], int]]]] = {
    "of another model": ("corrections.present", correct_another_model),
    "of another time": ("corrections.present", correct_another_time),
    "by another source": ("corrections.alike", correct_anothers),
    "of another version": ("corrections.alike", correct_another_version),
    "with another beginning": ("corrections.newest", begin_a_chain_elsewhere),
}
"""Further conditions of the same rules."""
