"""The control map: what clauses of laws and standards ask for, and what answers them here.

It is data with a version, a file for each framework in `control_map/`, in words of our own; a
clause that could not be confirmed is left out. A test holds every name in it to what there is.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from ledger.compliance.facts import FactSource
from ledger.compliance.inquiry import Answer, Inquiry
from ledger.compliance.tables import Table, table_of
from ledger.events.notation import counted
from ledger.events.registry import BY_TYPE

_FOLDER: Final = "control_map"


@dataclass(frozen=True, slots=True)
class ControlClause:
    """One clause: what it asks for, and the events, commands, tables and questions for it."""

    clause: str
    asks: str
    events: tuple[str, ...]
    """Names of event types, in all their versions."""
    commands: tuple[str, ...]
    tables: tuple[str, ...]
    questions: tuple[str, ...]

    @property
    def types(self) -> frozenset[str]:
        """The event types that it names, with their versions."""
        return frozenset(type_ for type_ in BY_TYPE if type_.rpartition(".")[0] in self.events)


@dataclass(frozen=True, slots=True)
class ControlFramework:
    """A law or standard, in the edition that was read."""

    name: str
    title: str
    edition: str
    map_version: str
    """The day on which its map was last changed."""
    source: str
    note: str
    clauses: tuple[ControlClause, ...]


@cache
def frameworks() -> Mapping[str, ControlFramework]:
    """Return every framework by name."""
    folder = files("ledger.compliance").joinpath(_FOLDER)
    found = (
        _framework(json.loads(file.read_text("utf-8")))
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".json")
    )
    return {one.name: one for one in found}


def _framework(data: dict[str, Any]) -> ControlFramework:
    clauses = tuple(
        ControlClause(
            one["clause"],
            one["asks"],
            *(tuple(one[name]) for name in ("events", "commands", "tables", "questions")),
        )
        for one in data["clauses"]
    )
    return ControlFramework(**data | {"clauses": clauses})


def controls_table(source: FactSource) -> Table:
    """Return every clause with what answers it, and how many of its events are on record."""
    counts: dict[str, int] = {}
    for fact in source.facts():
        counts[fact.type] = counts.get(fact.type, 0) + 1
    return table_of(
        "controls",
        "Control map",
        (
            ("framework", "text", "which law or standard"),
            ("edition", "text", "in which edition"),
            ("clause", "text", "which clause or theme of it"),
            ("asks", "prose", "what it asks for, in words of our own"),
            ("events", "prose", "the events that answer it"),
            ("recorded", "integer", "how many of them this ledger holds"),
            ("questions", "prose", "the questions of `audit answer` about it"),
            ("tables", "prose", "the tables of `compliance export` about it"),
            ("commands", "prose", "the commands that show or do it"),
            ("map_version", "text", "when this row was last changed"),
        ),
        [
            {
                "framework": one.title,
                "edition": one.edition,
                "map_version": one.map_version,
                "clause": clause.clause,
                "asks": clause.asks,
                "recorded": sum(counts.get(type_, 0) for type_ in clause.types),
                **{
                    name: ", ".join(getattr(clause, name))
                    for name in ("events", "questions", "tables", "commands")
                },
            }
            for one in frameworks().values()
            for clause in one.clauses
        ],
        "No clause is met by a record alone, and whether one applies is not for a ledger to say.",
        page=(
            ("Clause", ("framework", "clause", "edition", "map_version")),
            ("Asks for", ("asks",)),
            ("Answers", ("events", "recorded", "questions", "tables", "commands")),
        ),
    )


def controls(source: FactSource, inquiry: Inquiry, answer: Answer) -> None:  # noqa: ARG001 - of all
    """Map the clauses of control catalogues to what this ledger holds."""
    table = controls_table(source)
    at = [column.name for column in table.columns].index("recorded")
    held = sum(bool(row[at]) for row in table.rows)
    named = counted(len(frameworks()), "framework")
    answer.say(
        f"The map names {counted(len(table.rows), 'clause')} of {named}; for {held} of them this "
        "ledger holds events."
    )
    answer.tables.append(table)
    answer.how = [
        "decision-ledger audit controls",
        "decision-ledger audit answer --all --html FILE",
    ]
