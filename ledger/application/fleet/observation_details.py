"""Details of observations, beyond their values, and corrections: judged before they are appended.

The rows of a batch take the one fast way; those that say more become `signal.observed.v2` after it.
A correction names the position of what it corrects, and takes version and time from there. That
nothing of the same time came meanwhile, and no erasure, is guarded when it is appended.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import ValidationError

from ledger.application.commands import Caller, model_stream, no_erasure_after
from ledger.errors import FieldViolation, LedgerError, Reason
from ledger.events import values
from ledger.events.canonical import decode
from ledger.events.corrections import chain_of
from ledger.events.envelope import RecordedEvent, encode_body
from ledger.events.fast import identity_of, parse_observed
from ledger.events.signals import OBSERVED_TYPES, ReportPart, SignalObservedV2
from ledger.limits import INDICATORS_MAX
from ledger.storage.events import Events
from ledger.storage.records import Guard, NewEvent

UNSTATED: Final = -1
"""The time of a row that leaves it to what it corrects."""

_VIOLATIONS_MAX: Final = 10

Row = tuple[str, str, str, float | str, int, int]


@dataclass(frozen=True, slots=True)
class StatedDetail:
    """The details of an observation; numbers as a source writes them."""

    raw: str | float | None = None
    indicators: Mapping[str, str | float] = field(default_factory=dict)
    estimated: bool = False
    corrects: int = 0
    """The position of the observation that it takes the place of; 0 for none."""
    report_uri: str = ""
    report_sha256: str = ""


@dataclass(frozen=True, slots=True)
class CheckedDetails:
    """The details of a batch, by index; `rows` have the version and time of what they correct."""

    rows: Sequence[Row]
    members: Mapping[int, dict[str, Any]]
    guards: tuple[Guard, ...]
    rounded: int
    vanished: int


class DetailChecks:
    """Judges the details of one ledger's batches as of its head."""

    def __init__(self, events: Events, ledger: str) -> None:
        self._events = events
        self._ledger = ledger

    def checked(
        self, caller: Caller, rows: Sequence[Row], details: Mapping[int, StatedDetail]
    ) -> CheckedDetails:
        """Return the details as they are recorded; FIELD_INVALID names what is wrong with them."""
        head = self._events.head(self._ledger).position
        chains = _Chains(self._events, self._ledger, head)
        found, members, changed = _Found(), {}, list(rows)
        guards: dict[Guard, None] = {}
        corrected: dict[int, int] = {}
        for index, detail in sorted(details.items()):
            members[index] = found.members(index, detail)
            if not detail.corrects:
                continue
            refuse = found.refusing(f"observations[{index}].detail.corrects")
            target = self._target(caller, rows[index], detail.corrects, chains, refuse)
            if target is None:
                continue
            first = chain_of(target)
            if first in corrected:
                refuse(f"observations[{corrected[first]}] of the same batch corrects it too")
                continue
            corrected[first] = index
            members[index]["corrects"] = {"position": target.position, "first": first}
            seen = parse_observed(target)
            model, signal, _, value, _, size = rows[index]
            changed[index] = (model, signal, seen.model_version, value, seen.observed_at, size)
            guards[_none_of_that_time(target, head)] = None
            guards[no_erasure_after(head)._replace(is_passing=True)] = None
        found.done()
        return CheckedDetails(changed, members, tuple(guards), found.rounded, found.vanished)

    def _target(
        self, caller: Caller, row: Row, position: int, chains: "_Chains", refuse: "_Refuse"
    ) -> RecordedEvent | None:
        """Return what a row corrects; None, and why, where it cannot correct that."""
        model, signal, version, _, observed_at, _ = row
        is_there = 0 < position <= chains.head
        event = self._events.event(self._ledger, position) if is_there else None
        if event is None or event.type not in OBSERVED_TYPES:
            refuse(f"there is no observation at position {position}")
        elif event.stream != model_stream(model):
            refuse(f"position {position} is an observation of {event.stream.partition('/')[2]}")
        elif event.body_bytes is None:
            refuse(f"the observation at position {position} was erased: submit one of its own")
        else:
            seen = parse_observed(event)
            newest = chains.newest(event)
            if seen.signal != signal:
                refuse(f"position {position} is an observation of {seen.signal}, not of {signal}")
            elif seen.source != caller.actor:
                refuse(f"position {position} was reported by {seen.source}, not by {caller.actor}")
            elif version not in {"", seen.model_version}:
                refuse(f"position {position} is of version {seen.model_version}, not {version}")
            elif observed_at not in {UNSTATED, seen.observed_at}:
                was = values.format_time(seen.observed_at)
                refuse(f"position {position} was observed at {was}: leave the time out")
            elif newest != position:
                refuse(f"it was corrected before: correct the observation at position {newest}")
            else:
                return event
        return None


class _Chains:
    """The newest known observation of each chain: one batch reads each model and time once."""

    def __init__(self, events: Events, ledger: str, head: int) -> None:
        self.head = head
        self._events = events
        self._ledger = ledger
        self._newest: dict[tuple[str, int], dict[int, int]] = {}

    def newest(self, target: RecordedEvent) -> int:
        """Return the position of the newest known one of an observation's chain."""
        assert target.observed_at is not None
        key = target.stream, target.observed_at
        if key not in self._newest:
            self._newest[key] = self._read(*key)
        return self._newest[key][chain_of(target)]

    def _read(self, stream: str, at: int) -> dict[int, int]:
        newest: dict[int, int] = {}
        for event in self._events.observations(
            self._ledger, stream, observed_from=at, observed_until=at, at_or_before=self.head
        ):
            if event.body_bytes is not None:
                first = chain_of(event)
                newest[first] = max(event.position, newest.get(first, 0))
        return newest


def detailed(
    events: Sequence[NewEvent],
    identities: Sequence[int],
    details: CheckedDetails,
    caller: Caller,
) -> tuple[list[NewEvent], list[int]]:
    """Return the events and identities of a batch, those that say more as what they are."""
    events, identities = list(events), list(identities)
    for index, members in details.members.items():
        event = events[index]
        assert isinstance(event.body, bytes)
        assert event.observed_at is not None
        data = SignalObservedV2.from_data(decode(event.body)["data"] | members)
        body = encode_body(actor=caller.actor, data=data.to_data(), request_id=caller.request_id)
        events[index] = NewEvent(event.stream, data.TYPE, body, event.observed_at)
        identities[index] = identity_of(event.stream, event.observed_at, body)
    return events, identities


def _none_of_that_time(target: RecordedEvent, head: int) -> Guard:
    """Return the guard that nothing came that may correct it, too; the same request may go on."""
    return Guard(
        target.stream, None, after_position=head, observed_at=target.observed_at, is_passing=True
    )


class _Refuse:
    """Notes what is wrong with one field."""

    def __init__(self, violations: list[FieldViolation], path: str) -> None:
        self._violations = violations
        self._path = path

    def __call__(self, text: str) -> None:
        self._violations.append(FieldViolation(self._path, text))


class _Found:
    """The faults of a batch's details, and how many of their numbers were rounded."""

    def __init__(self) -> None:
        self._violations: list[FieldViolation] = []
        self.rounded = self.vanished = 0

    def refusing(self, path: str) -> _Refuse:
        """Return what notes the faults of a field."""
        return _Refuse(self._violations, path)

    def members(self, index: int, detail: StatedDetail) -> dict[str, Any]:
        """Return the members of an event's data that a detail states."""
        path = f"observations[{index}].detail"
        if len(detail.indicators) > INDICATORS_MAX:
            refuse = self.refusing(f"{path}.indicators")
            refuse(f"has {len(detail.indicators)} of them; at most {INDICATORS_MAX} fit")
        indicators = {}
        for name, value in sorted(detail.indicators.items()):
            if values.SEGMENT.fullmatch(name) is None:
                self.refusing(f"{path}.indicators")(
                    f"{name[:128]!r} is not a name: use a-z and 0-9"
                )
            indicators[name] = self._decimal(f"{path}.indicators.{name[:128]}", value)
        raw = None if detail.raw is None else self._decimal(f"{path}.raw", detail.raw)
        return {
            "corrects": None,
            "estimated": detail.estimated,
            "indicators": indicators,
            "raw": raw,
            "report": self._report(f"{path}.report", detail),
        }

    def _decimal(self, path: str, value: str | float) -> str:
        try:
            text, is_rounded = values.nearest_decimal(
                value if isinstance(value, str) else repr(value)
            )
        except ValueError as error:
            self.refusing(path)(str(error))
            return "0"
        self.rounded += is_rounded
        self.vanished += is_rounded and text == "0"
        return text

    def _report(self, path: str, detail: StatedDetail) -> dict[str, str] | None:
        stated = {"uri": detail.report_uri, "sha256": detail.report_sha256}
        if not any(stated.values()):
            return None
        try:
            ReportPart.model_validate(stated)
        except ValidationError as error:
            named = error.errors()[0]["loc"][0]
            self.refusing(f"{path}.{named}")(_REPORT_FORMS[str(named)])
            return None
        if _has_credentials(detail.report_uri):
            self.refusing(f"{path}.uri")("names a user or password, which would be on record")
            return None
        return stated

    def done(self) -> None:
        """Raise FIELD_INVALID that names every fault, if there is any."""
        if not self._violations:
            return
        first = self._violations[0]
        raise LedgerError(
            Reason.FIELD_INVALID,
            f"{first.field}: {first.description}. Nothing of the batch was written.",
            remedy="Correct the named items and send the whole batch again.",
            violations=self._violations[:_VIOLATIONS_MAX],
            metadata={"field": first.field, "violations": str(len(self._violations))},
        )


_REPORT_FORMS: Final = {
    "uri": "must be a URI such as s3://reports/2026-03-01.html, at most 1000 characters",
    "sha256": "must be the SHA-256 of the report, 64 digits of 0-9 and a-f",
}


def _has_credentials(uri: str) -> bool:
    try:
        return "@" in urlsplit(uri).netloc
    except ValueError:
        return True
