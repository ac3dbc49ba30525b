"""A review pack for people: the facts of its head, and its tables, as text and as a page."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ledger.compliance.files import html_page
from ledger.compliance.policies import scope_text
from ledger.compliance.tables import Table, cell_text, heading_of, table_of
from ledger.events import notation
from ledger.events.cases import (
    EscalationAcknowledged,
    EscalationEscalated,
    EscalationRaised,
    EscalationResolved,
    TaskClosed,
    TaskOpened,
    TaskOverdue,
)
from ledger.events.notation import counted
from ledger.governance.answers import told_approval_basis, told_basis

Pack = Mapping[str, Any]
_CASES: Final = (
    ("raised", EscalationRaised.TYPE),
    ("passed on", EscalationEscalated.TYPE),
    ("acknowledged", EscalationAcknowledged.TYPE),
    ("resolved", EscalationResolved.TYPE),
)
_TASKS: Final = (
    ("opened", TaskOpened.TYPE),
    ("overdue", TaskOverdue.TYPE),
    ("closed", TaskClosed.TYPE),
)


def pack_title(pack: Pack) -> str:
    """Return what a pack is about."""
    return f"Review of {pack['policy']} version {pack['version']}: {pack['title']}"


def pack_facts(pack: Pack, digest: str, unit: str) -> Iterator[tuple[str, str]]:
    """Yield the lines of its head: name and value."""
    life, sources = pack["life"], pack["sources"]
    yield "ledger", pack["ledger"]
    yield "for", f"{scope_text(pack['scope'])} ({counted(pack['models'], 'model')})"
    yield "period", f"{_time(pack['since'])} until {_time(pack['until'])}"
    yield "compared with", f"{_time(pack['before'])} until {_time(pack['since'])}"
    yield "positions", f"{pack['after'] + 1} to {pack['as_of']}"
    yield "review", _due(life)
    yield "written", f"by {life['author']}, {_time(life['drafted_at'])}"
    yield "in force", _activated(life)
    yield from _rests_on(life)
    yield "retrainings decided", _cost(pack["cost"]["scheduled"], unit)
    yield "retrainings done", _cost(pack["cost"]["done"], unit)
    yield "sources", f"{sources['reporting']} report, {sources['silent']} are silent"
    yield "escalations", _counts(pack, _CASES)
    yield "tasks", _counts(pack, _TASKS)
    if pack["erased"]:
        yield "erased", f"{counted(pack['erased'], 'event')} of the period, which count nowhere"
    yield "digest", digest


def _time(text: str) -> str:
    return notation.shown_time(text)


def _due(life: Pack) -> str:
    last = f"the last one is at position {life['review']}" if life["review"] else "the first one"
    if life["due_at"] is None:
        return f"asked for at no time; {last}"
    overdue = f"; overdue since position {life['overdue_since']}" if life["overdue_since"] else ""
    return f"due {_time(life['due_at'])}; {last}{overdue}"


def _activated(life: Pack) -> str:
    said = f"by {life['activated_by']}, {_time(life['activated_at'])}"
    return f"{said}, {told_basis(life['basis'])}: {life['activated_because']}"


def _rests_on(life: Pack) -> Iterator[tuple[str, str]]:
    """Yield the steps on which what is in force rests, where not on approvals of its own."""
    if ended := life["ended_emergency"]:
        yield "ended emergency", f"{_act(ended)}; no person ratified it in time"
    if back := life["returned_to"]:
        yield "returned to", f"{_act(back)}, {told_basis(back['basis'])}: {back['because']}"
    if life["ratification"]:
        yield "ratified", _ratified(life["ratification"])
    elif life["basis"] == "emergency":
        yield "ratified", "not yet"


def _act(one: Pack) -> str:
    return (
        f"{one['policy']} version {one['version']}, brought into force by {one['actor']}, "
        f"{_time(one['at'])}, at position {one['position']}"
    )


def _ratified(one: Pack) -> str:
    return f"by {one['actor']}, {_time(one['at'])}, at position {one['position']}"


def _cost(cost: Pack, unit: str) -> str:
    """Return retrainings with what they cost by the models' own statements."""
    said = f"{cost['retrainings']}, at {notation.money(int(cost['cost_micros']), unit)}"
    unknown = cost["cost_unknown"]
    return f"{said} and {unknown} whose cost is not known" if unknown else said


def _counts(pack: Pack, kinds: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{pack['cases'][type_]} {name}" for name, type_ in kinds)


def pack_tables(pack: Pack) -> list[Table]:
    """Return its tables."""
    return [
        _rules(pack),
        _actions(pack),
        _sources(pack),
        _approvals(pack),
        _emergencies(pack),
        _shadows(pack),
    ]


def _rules(pack: Pack) -> Table:
    return table_of(
        "rules",
        "Rules",
        (
            ("rule", "text", "which rule; `otherwise` where none matched"),
            ("action", "text", "the action that it gives"),
            ("fires", "integer", "times that a model's decision came to be by it"),
            ("decisions", "integer", "decisions that came out by it, repeats among them"),
            ("failures", "integer", "decisions in which its expression had no value"),
            ("last_fired", "time", "when it last fired"),
            ("overruled", "integer", "overrides that set another action than it gave"),
            ("overruled_share_ppm", "share", "overrides for each firing"),
            ("overruled_by", "text", "who overruled it, each with how often"),
            ("tasks", "integer", "tasks that it opened"),
            ("closed", "integer", "tasks of it that were closed"),
            ("precision_ppm", "share", "its closed tasks that were no false alarm"),
            ("outcomes", "text", "how its tasks ended, each with how often"),
            ("rationale", "prose", "the policy's reason for it"),
        ),
        [
            one
            | {
                "overruled_share": one["overruled_ppm"],
                "overruled_by": ", ".join(
                    f"{each['actor']} {each['times']}" for each in one["overruled_by"]
                ),
                "outcomes": ", ".join(
                    f"{name.replace('_', ' ')} {count}" for name, count in one["outcomes"].items()
                ),
            }
            for one in pack["rules"]
        ],
        page=(
            ("Rule", ("rule", "action", "rationale")),
            ("Fired", ("fires", "decisions", "failures", "last_fired")),
            ("Overruled", ("overruled", "overruled_share_ppm", "overruled_by")),
            ("Precision", ("precision_ppm", "closed", "tasks", "outcomes")),
        ),
    )


def _actions(pack: Pack) -> Table:
    return table_of(
        "actions",
        "Actions in force, now and in the period before",
        (
            ("action", "text", "which action"),
            ("share_ppm", "share", "its share of the models' time"),
            ("seconds", "span", "how long it was in force, of all models together"),
            ("decisions", "integer", "decisions of this version that gave it"),
            ("share_before_ppm", "share", "its share in the period before"),
            ("how_long_before_seconds", "span", "how long in the period before"),
            ("decisions_before", "integer", "decisions in the period before, of any version"),
        ),
        [one | {"how_long_before_seconds": one["seconds_before"]} for one in pack["actions"]],
        "The period before is as long, under the versions that were in force then.",
        page=(
            ("Action", ("action",)),
            ("Now", ("share_ppm", "seconds", "decisions")),
            ("Before", ("share_before_ppm", "how_long_before_seconds", "decisions_before")),
        ),
    )


def _sources(pack: Pack) -> Table:
    sources = pack["sources"]
    left = sources["silent"] - len(sources["rows"])
    allowed = notation.duration(sources["allowed_seconds"])
    note = f"Silent is what did not report for {allowed}, as the policy has it."
    return table_of(
        "silent_sources",
        "Silent sources",
        (
            ("model", "text", "which model"),
            ("signal", "text", "which signal of it"),
            ("state", "text", "silent, or not heard of in either period"),
            ("actor", "text", "who reported it"),
            ("silent_seconds", "span", "how long, up to the end of the period"),
            ("last_observed_at", "time", "time of its newest observation"),
            ("last_position", "integer", "where that is recorded"),
            ("observations", "integer", "how many in the period"),
            ("observations_before", "integer", "how many in the period before"),
        ),
        [
            one | {"state": "silent" if one["last_position"] else "not heard of"}
            for one in sources["rows"]
        ],
        f"{note} {left} more are not listed." if left else note,
        page=(
            ("Model", ("model", "signal")),
            ("Source", ("state", "actor")),
            ("Silent for", ("silent_seconds",)),
            ("Newest observation", ("last_observed_at", "last_position")),
            ("Observations", ("observations", "observations_before")),
        ),
    )


def _approvals(pack: Pack) -> Table:
    return table_of(
        "approvals",
        "Approvals by which it came into force",
        (
            ("actor", "text", "who approved it"),
            ("role", "text", "in which role"),
            ("at", "time", "when"),
            ("position", "integer", "where it is recorded"),
            ("meaning", "text", "what the signature means"),
            ("basis", "text", "by what it counts"),
            ("comment", "prose", "the words beside it"),
            ("expires_at", "time", "until when it counted"),
        ),
        [
            one
            | {
                "meaning": one["meaning"].replace("_", " "),
                "basis": told_approval_basis(one["basis"]),
            }
            for one in pack["life"]["approvals"]
        ],
    )


def _emergencies(pack: Pack) -> Table:
    rows = [
        one
        | {
            "version": f"{one['policy']} version {one['version']}",
            "scope": scope_text(one["scope"]),
            "ended": _ended(one),
        }
        for one in pack["emergencies"]
    ]
    return table_of(
        "emergencies",
        "Emergencies",
        (
            ("position", "integer", "where it is recorded"),
            ("at", "time", "when"),
            ("version", "text", "which version was put in force"),
            ("scope", "text", "for which models"),
            ("actor", "text", "by whom"),
            ("ended", "text", "how it ended"),
        ),
        rows,
    )


def _ended(one: Pack) -> str:
    if one["ratification"]:
        return _ratified(one["ratification"])
    if one["replaced"]:
        how = str(one["replaced_by"]).replace("_", " ")
        return f"{how} at position {one['replaced']}"
    return "open"


def _shadows(pack: Pack) -> Table:
    rows = [
        one
        | {
            "version": f"{one['policy']} version {one['version']}",
            "scope": scope_text(one["scope"]),
        }
        for one in pack["shadows"]
    ]
    return table_of(
        "shadows",
        "Policies in shadow",
        (
            ("position", "integer", "the position that names it"),
            ("version", "text", "which version ran"),
            ("scope", "text", "on which models"),
            ("begun_at", "time", "since when"),
            ("ended", "integer", "where its end is recorded; empty while it runs"),
            ("scores", "integer", "its scores in the period"),
            ("differing", "integer", "scores after which it would have acted otherwise"),
        ),
        rows,
        "`decision-ledger policy compare POSITION` says where they differ.",
    )


# ---- as text and as a page -----------------------------------------------------------------------


def text_table(table: Table, unit: str) -> tuple[list[str], list[tuple[str, ...]]]:
    """Return headings and rows of a table as text; columns in which nothing is known are left out.

    A heading of numbers begins with `>`.
    """
    cells = [
        [cell_text(row[at], column.kind, unit) for row in table.rows]
        for at, column in enumerate(table.columns)
    ]
    kept = [at for at, column in enumerate(cells) if any(column)]
    headings = [
        ("" if table.columns[at].kind in {"text", "prose"} else ">")
        + heading_of(table.columns[at]).upper()
        for at in kept
    ]
    rows = [tuple(cells[at][number] for at in kept) for number in range(len(table.rows))]
    return headings, rows


def review_page(pack: Pack, digest: str, unit: str) -> bytes:
    """Return a pack as one page."""
    facts = list(pack_facts(pack, digest, unit))
    return html_page(pack_title(pack), facts, pack_tables(pack), unit)
