"""The one event that arrives by the million, encoded and decoded by template instead of by tree.

Both functions speak exactly the canonical bytes of a `signal.observed.v1` body: what the template
writes equals `encode_body`, and any other form of a body is refused on reading.
"""

import re
from typing import Final, NamedTuple

from ledger.errors import body_erased, event_unreadable
from ledger.events.envelope import RecordedEvent
from ledger.events.registry import typed
from ledger.events.signals import SignalObservedV2
from ledger.events.values import ACTOR_FORM, SEGMENT_FORM

_ACTOR = ACTOR_FORM.encode()
_SEGMENT = SEGMENT_FORM.encode()
_OBSERVED: Final = re.compile(
    rb'\{"actor":"(' + _ACTOR + rb')","causation_position":(?:null|[1-9][0-9]{0,14}),'
    rb'"data":\{"model_version":"(' + _SEGMENT + rb')","observed_at":"([0-9TZ:.-]{27})",'
    rb'"sample_size":(10{12}|[1-9][0-9]{0,11}),"signal":"(' + _SEGMENT + rb')",'
    rb'"value":"((?!-0")-?(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{0,8}[1-9])?)"\},'
    rb'"request_id":(?:null|"[A-Za-z0-9._:-]{1,128}"),"run_id":(?:null|"runs/' + _SEGMENT + rb'")\}'
)


_REQUEST: Final = b',"request_id":'


class Observed(NamedTuple):
    """An observation as recorded; `observed_at` in microseconds, `value` in nano."""

    source: str
    model_version: str
    observed_at: int
    sample_size: int
    signal: str
    value: int


def observed_body_parts(actor: str, request_id: str | None) -> tuple[str, str]:
    """Return the text before and after the data of every observation in one request."""
    quoted = "null" if request_id is None else f'"{request_id}"'
    return (
        f'{{"actor":"{actor}","causation_position":null,"data":{{"model_version":"',
        f'"}},"request_id":{quoted},"run_id":null}}',
    )


def observed_body(
    parts: tuple[str, str],
    model_version: str,
    observed_at: str,
    sample_size: int,
    signal: str,
    value: str,
) -> bytes:
    """Return a body's canonical bytes. The arguments are already valid: none needs escaping."""
    return (
        f'{parts[0]}{model_version}","observed_at":"{observed_at}","sample_size":{sample_size},'
        f'"signal":"{signal}","value":"{value}{parts[1]}'
    ).encode("ascii")


def repeated_part(body: bytes) -> bytes:
    """Return what two bodies of a stream share if one repeats the other: all but size and ids.

    A body of another form is returned up to its request id: it repeats no other size either.
    """
    match = _OBSERVED.fullmatch(body)
    if match is None:
        return body.rpartition(_REQUEST)[0] or body
    source, version, observed_at, _, signal, value = match.groups()
    return b"\n".join((source, version, observed_at, signal, value))


def identity(stream: str, signal: str, observed_at: int, value: str) -> int:
    """Return a number that is equal for equal observations, and nearly always another for others.

    Within one process: it is never stored.
    """
    return hash((stream, signal, observed_at, value))


def identity_of(stream: str, observed_at: int, body: bytes) -> int:
    """Return the identity of an observation by its body."""
    match = _OBSERVED.fullmatch(body)
    if match is None:
        return hash((stream, observed_at, repeated_part(body)))
    return identity(stream, match[5].decode(), observed_at, match[6].decode())


def nano(text: bytes | str) -> int:
    """Return the nano integer of a decimal that is known to match the format's grammar."""
    whole, _, fraction = (text if isinstance(text, str) else text.decode("ascii")).partition(".")
    if not fraction:
        return int(whole) * 1_000_000_000
    size = int(fraction + "000000000"[len(fraction) :])
    return int(whole) * 1_000_000_000 + (-size if whole[0] == "-" else size)


def parse_observed(event: RecordedEvent) -> Observed:
    """Return the observation in an event; EVENT_UNREADABLE unless its bytes have the form.

    BODY_ERASED where they are gone.
    """
    if event.body_bytes is None:
        raise body_erased(event.position)
    if event.observed_at is None:
        raise event_unreadable(event.position, "it has no time of observation")
    match = _OBSERVED.fullmatch(event.body_bytes)
    if match is None:
        if event.type == SignalObservedV2.TYPE:
            return _plainly(event, event.observed_at)
        raise event_unreadable(
            event.position, "its body is not the canonical form of signal.observed.v1"
        )
    source, version, _, size, signal, value = match.groups()
    return Observed(
        source.decode("ascii"),
        version.decode("ascii"),
        event.observed_at,
        int(size),
        signal.decode("ascii"),
        nano(value),
    )


def _plainly(event: RecordedEvent, observed_at: int) -> Observed:
    """Return the observation in an event that says more than its value."""
    data = typed(event, SignalObservedV2)
    return Observed(
        event.body.actor,
        data.model_version,
        observed_at,
        data.sample_size,
        data.signal,
        nano(data.value),
    )
