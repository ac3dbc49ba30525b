"""The lineage of a run as people read it: a tree of sentences, as text and as one page.

A run is a mapping as `run show --json` prints it. Many entries of one type side by side, such as
the scores of a long run, are told by the first and the last of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, NamedTuple

from ledger.events.notation import counted, shown_time

_ALIKE_MAX: Final = 4
"""Entries of one type, side by side and without any below, that are told one by one."""
Run = Mapping[str, Any]


class Branch(NamedTuple):
    """An entry as it is shown, and what is below it."""

    text: str
    place: str
    """Where it is recorded, and when; empty for several entries together."""
    below: tuple["Branch", ...]


def run_title(run: Run) -> str:
    """Return what a run is of."""
    return f"{run['run_id']} of {run['model']}"


def run_notes(run: Run) -> str:
    """Return how much a run shows, as a sentence."""
    found = counted(len(run["entries"]), "event")
    if run["is_whole"]:
        return f"{found} up to position {run['as_of']}."
    last = run["entries"][-1]["position"]
    return f"The first {found}, up to position {last}: what came after that is not shown."


def branches(run: Run) -> tuple[Branch, ...]:
    """Return the tree of a run."""
    below: dict[int, list[Mapping[str, Any]]] = {}
    for entry in run["entries"]:
        below.setdefault(entry["parent_position"], []).append(entry)
    made: dict[int, Branch] = {}
    for entry in reversed(run["entries"]):  # a parent is earlier than what is below it
        made[entry["position"]] = Branch(
            entry["text"],
            f"position {entry['position']}, {shown_time(entry['recorded_at'])}",
            tuple(_told(below.get(entry["position"], ()), made)),
        )
    return tuple(_told(below.get(0, ()), made))


def _told(entries: Sequence[Mapping[str, Any]], made: Mapping[int, Branch]) -> Iterator[Branch]:
    """Yield the branches of entries side by side, those that are alike in short."""

    def kind(entry: Mapping[str, Any]) -> tuple[str, bool]:
        return entry["type"], not made[entry["position"]].below

    for (_, is_leaf), group in groupby(entries, kind):
        alike = [made[entry["position"]] for entry in group]
        if not is_leaf or len(alike) <= _ALIKE_MAX:
            yield from alike
            continue
        yield alike[0]
        yield Branch(f"… and {len(alike) - 2} more of these, until:", "", ())
        yield alike[-1]


def tree_lines(found: Sequence[Branch], indent: str = "") -> Iterator[str]:
    """Yield a tree as lines of text."""
    for number, branch in enumerate(found, 1):
        is_last = number == len(found)
        place = f" ({branch.place})" if branch.place else ""
        yield f"{indent}{'└─' if is_last else '├─'} {branch.text}{place}"
        yield from tree_lines(branch.below, f"{indent}{'   ' if is_last else '│  '}")


def run_page(run: Run) -> bytes:
    """Return a run as one page."""
    from ledger import pages  # noqa: PLC0415 - a client alone has no Jinja

    template = pages.environment("ledger.compliance", "templates").get_template("run.html.jinja")
    return template.render(
        title=run_title(run), notes=run_notes(run), jobs=run["jobs"], branches=branches(run)
    ).encode()
