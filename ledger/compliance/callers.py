"""The spans in which callers were believed rather than authenticated, for tables and answers."""

from ledger.authority.believed import SHOWING_TYPES, UNSHOWN, SeenCallers
from ledger.compliance.facts import FactFilter, FactSource
from ledger.compliance.tables import Table, table_of
from ledger.events.notation import counted


def callers_in_words(source: FactSource, scope: FactFilter) -> list[str]:
    """Return what is to be said of a period's callers; nothing where none was believed."""
    first, seen = _seen(source, scope)
    spans = seen.believed.sentences(first, source.last_position) if source.is_whole else ()
    return [*spans, *_unshown(source, seen)]


def callers_table(source: FactSource, scope: FactFilter) -> Table:
    """Return the spans of the period in which callers were believed."""
    first, seen = _seen(source, scope)
    spans = seen.believed.spans(first, source.last_position) if source.is_whole else ()
    return table_of(
        "believed_callers",
        "Callers that were believed",
        (
            ("first_position", "integer", "the first event of the span"),
            ("last_position", "integer", "its last event"),
            ("callers", "prose", "which callers were believed in it, and why"),
        ),
        spans,
        " ".join(_unshown(source, seen)),
        page=(("Events", ("first_position", "last_position")), ("Callers", ("callers",))),
    )


def _seen(source: FactSource, scope: FactFilter) -> tuple[int, SeenCallers]:
    """Return the first position that is told of, and what the events show of callers.

    A period that begins after authority was in force holds no caller of before.
    """
    seen, first = SeenCallers(), 1
    for fact in source.facts(SHOWING_TYPES):
        seen.take(fact.position, fact.type, fact.data)
        is_first = fact.position == seen.in_force_from
        if is_first and scope.since is not None and fact.recorded_at <= scope.since:
            first = fact.position
    return first, seen


def _unshown(source: FactSource, seen: SeenCallers) -> list[str]:
    """Return what the events of a source do not show of its callers."""
    if not source.is_whole:
        return [UNSHOWN]
    if seen.unread_uses:
        uses = counted(seen.unread_uses, "use")
        return [f"By which credentials callers were let in is not shown of {uses}: without body."]
    return []
