"""One event as rules see it: header fields as found, body read strictly by the audit itself."""

import re
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from ledger.audit.source import Row
from ledger.events.base import EventData
from ledger.events.canonical import CanonicalError, decode
from ledger.events.registry import BY_TYPE
from ledger.events.signals import OBSERVED_TYPES, SignalObserved, SignalObservedV2
from ledger.events.values import ACTOR, REQUEST_ID, RUN_ID, SEGMENT_FORM, parse_time

OBSERVED: Final = frozenset(OBSERVED_TYPES)
_PLAIN: Final = SignalObserved.TYPE

_SEGMENT: Final = SEGMENT_FORM.encode()
_OBSERVATION: Final = re.compile(
    rb'\{"actor":"((?:users|services|system)/' + _SEGMENT + rb')",'
    rb'"causation_position":(null|[1-9][0-9]{0,14}),'
    rb'"data":\{"model_version":"(' + _SEGMENT + rb')","observed_at":"([^"]{27})",'
    rb'"sample_size":([1-9][0-9]{0,11}|10{12}),"signal":"(' + _SEGMENT + rb')",'
    rb'"value":"((?!-0")-?(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{0,8}[1-9])?)"\},'
    rb'"request_id":(?:null|"([A-Za-z0-9._:-]{1,128})"),'
    rb'"run_id":(?:null|"(runs/' + _SEGMENT + rb')")\}'
)


class StatedObservation(NamedTuple):
    """The statement of a monitor; the time in microseconds, the value as its text."""

    model_version: str
    observed_at: int
    sample_size: int
    signal: str
    value: str
    corrects: int = 0
    """The observation that it takes the place of; 0 for none."""
    first: int = 0
    """The one that the chain of corrections begins with; 0 where it corrects none."""


class AuditedRequest(NamedTuple):
    """A request that left events: what tells it from others, and when they were recorded."""

    actor: str
    method: str
    request_id: str
    recorded_at: int

    def is_of(self, event: "AuditedEvent") -> bool:
        """Whether an event is of it, by all but its method."""
        told = event.actor, event.request_id, event.recorded_at
        return told == (self.actor, self.request_id, self.recorded_at)


@dataclass(slots=True)
class AuditedEvent:
    """An event whose hashes hold."""

    position: int
    stream: str
    stream_version: int
    type: str
    recorded_at: int
    raw: bytes | None
    event_hash: bytes
    salt: bytes | None = None
    actor: str = ""
    cause: int | None = None
    request_id: str | None = None
    run_id: str | None = None
    observation: StatedObservation | None = None
    data: dict[str, Any] | None = None
    """The body's data where its type is known and fits it; None for `signal.observed.v1`."""
    fault: str = ""
    """The fault of the body's envelope."""
    data_fault: str = ""
    """The fault of its data."""

    @property
    def known(self) -> dict[str, Any]:
        """The same, for a rule that is applied only where it is there."""
        assert self.data is not None
        return self.data

    @property
    def name(self) -> str:
        """The part of the stream behind the slash."""
        return self.stream.partition("/")[2]


def read(row: Row) -> AuditedEvent:
    """Return the event in a row, its body read if there is one."""
    position, stream, version, type_, recorded_at, body, salt, _, _, event_hash = row
    event = AuditedEvent(position, stream, version, type_, recorded_at, body, event_hash, salt)
    if body is None:
        return event
    if type_ == _PLAIN and (match := _OBSERVATION.fullmatch(body)) is not None:
        actor, cause, model_version, at, size, signal, value, request_id, run_id = match.groups()
        try:
            observed_at = parse_time(at.decode())
        except ValueError as error:
            event.data_fault = f"observed_at: {error}"
        else:
            event.observation = StatedObservation(
                model_version.decode(), observed_at, int(size), signal.decode(), value.decode()
            )
        event.actor = actor.decode()
        event.cause = None if cause == b"null" else int(cause)
        event.request_id = None if request_id is None else request_id.decode()
        event.run_id = None if run_id is None else run_id.decode()
        return event
    _read_plainly(event, body)
    if type_ == SignalObservedV2.TYPE and event.data is not None:
        event.observation = _observation(event.data)
    return event


def _observation(data: dict[str, Any]) -> StatedObservation:
    corrected = data["corrects"] or {"position": 0, "first": 0}
    return StatedObservation(
        data["model_version"],
        parse_time(data["observed_at"]),
        data["sample_size"],
        data["signal"],
        data["value"],
        corrected["position"],
        corrected["first"],
    )


_KEYS: Final = {"actor", "causation_position", "data", "request_id", "run_id"}


def _read_plainly(event: AuditedEvent, raw: bytes) -> None:
    """Read a body of any type, noting what is wrong with it."""
    try:
        body = decode(raw)
    except CanonicalError as error:
        event.fault = f"the body is {error}"
        return
    event.fault = _envelope_fault(body)
    if event.fault:
        return
    event.actor, event.cause = body["actor"], body["causation_position"]
    event.request_id, event.run_id = body["request_id"], body["run_id"]
    cls = BY_TYPE.get(event.type)
    if cls is not None:
        event.data_fault = _data_fault(cls, body["data"])
        if event.data_fault:
            return
    event.data = body["data"]


def _envelope_fault(body: Any) -> str:  # noqa: ANN401 - any decoded value
    """Return what is wrong with the five members of a body; empty if nothing is."""
    if not isinstance(body, dict) or body.keys() != _KEYS:
        return f"the body does not have exactly the members {', '.join(sorted(_KEYS))}"
    if type(body["actor"]) is not str or ACTOR.fullmatch(body["actor"]) is None:
        return "its actor is invalid"
    cause = body["causation_position"]
    if cause is not None and type(cause) is not int:
        return "its causation position is not an integer"
    for name, grammar in (("request_id", REQUEST_ID), ("run_id", RUN_ID)):
        value = body[name]
        if value is not None and (type(value) is not str or grammar.fullmatch(value) is None):
            return f"its {name} is invalid"
    if not isinstance(body["data"], dict):
        return "its data is not an object"
    return ""


def _data_fault(cls: type[EventData], data: object) -> str:
    """Return what is wrong with the data of a known type; empty if nothing is."""
    try:
        cls.from_data(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return f"its data does not fit the type: {where}: {first['msg']}"
    return ""
