"""The definitions of a signal, as its events have them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ledger.events.signals import DEFINED_TYPES, PINNED
from ledger.operations.failures import MisuseError

if TYPE_CHECKING:
    from datetime import datetime

    from ledger.client import LedgerClient
    from ledger.client.records import Event

_WORDS = ("owner", "standard", "meaning", "collection")


@dataclass(frozen=True, slots=True)
class Definition:
    """One version of a signal's definition; texts are empty where its body was erased."""

    signal: str
    version: int
    position: int
    recorded_at: "datetime | None"
    actor: str
    kind: str = ""
    unit: str = ""
    direction: str = ""
    meaning: str = ""
    collection: str = ""
    owner: str = ""
    standard: str = ""
    standard_version: int = 0
    changed: str = ""
    """The members that are others than in the version before, in words."""


def definitions(client: "LedgerClient", signal: str) -> list[Definition]:
    """Return every version of a signal's definition, oldest first; MisuseError if there is none."""
    found: list[Definition] = []
    before: dict[str, Any] = {}
    streams = [f"signals/{signal.removeprefix('signals/')}"]
    for event in client.list_events(streams=streams, types=DEFINED_TYPES):
        data = event.data if event.body else {}
        found.append(_definition(event, data, before))
        before = data
    if not found:
        raise MisuseError(
            f"No signal is defined under {signal[:80]!r}.",
            "List the signals with `decision-ledger signal list`.",
        )
    return found


def _definition(event: "Event", data: dict[str, Any], before: dict[str, Any]) -> Definition:
    signal, version = event.stream.partition("/")[2], event.stream_version
    if not data:
        return Definition(signal, version, event.position, event.recorded_at, "")
    adopted = data.get("standard") or {}
    said = [
        f"{name} from {before[name]} to {data[name]}"
        for name in PINNED
        if before and before[name] != data[name]
    ]
    said += [name for name in _WORDS if before and before.get(name) != data.get(name)]
    return Definition(
        signal,
        version,
        event.position,
        event.recorded_at,
        event.content["actor"],
        **{name: data[name] for name in (*PINNED, "meaning", "collection")},
        owner=data.get("owner", ""),
        standard=adopted.get("name", ""),
        standard_version=adopted.get("version", 0),
        changed=", ".join(said) if said else "" if before else "-",
    )
