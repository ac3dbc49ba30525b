"""The template for observations speaks the same bytes as the tree, and no others.

Method: draw any valid observation and compare both encoders and both decoders; then change the
bytes in any one place and require that the template reads them only where the strict decoder does,
and then to the same observation.
"""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.errors import LedgerError, Reason
from ledger.events.canonical import encode
from ledger.events.envelope import RecordedEvent, encode_body
from ledger.events.fast import nano, observed_body, observed_body_parts, parse_observed
from ledger.events.registry import typed
from ledger.events.signals import SignalObserved
from ledger.events.values import (
    ACTOR,
    NANO_LIMIT,
    TIME_LIMIT,
    format_decimal,
    format_time,
    parse_decimal,
    parse_time,
)
from ledger.limits import SAMPLE_SIZE_MAX

segments = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True)
actors = st.builds("{}/{}".format, st.sampled_from(["users", "services", "system"]), segments)
request_ids = st.none() | st.from_regex(r"[A-Za-z0-9._:-]{1,40}", fullmatch=True)
times = st.integers(0, TIME_LIMIT - 1)
decimals = st.integers(1 - NANO_LIMIT, NANO_LIMIT - 1).map(format_decimal)


@st.composite
def observations(draw: st.DrawFn) -> SignalObserved:
    return SignalObserved(
        model_version=draw(segments),
        observed_at=format_time(draw(times)),
        sample_size=draw(st.integers(1, SAMPLE_SIZE_MAX)),
        signal=draw(segments),
        value=draw(decimals),
    )


def fast_body(actor: str, request_id: str | None, data: SignalObserved) -> bytes:
    return observed_body(
        observed_body_parts(actor, request_id),
        data.model_version,
        data.observed_at,
        data.sample_size,
        data.signal,
        data.value,
    )


def event(body: bytes | None, observed_at: int | None) -> RecordedEvent:
    salt = None if body is None else bytes(16)
    return RecordedEvent(
        7, "models/m", 1, SignalObserved.TYPE, 0, observed_at, body, salt, b"", b"", b""
    )


@given(actors, request_ids, observations())
def test_the_template_writes_what_the_encoder_writes(
    actor: str, request_id: str | None, data: SignalObserved
) -> None:
    expected = encode_body(actor=actor, data=data.to_data(), request_id=request_id)
    assert fast_body(actor, request_id, data) == expected


@given(actors, request_ids, observations())
def test_the_template_reads_what_the_decoder_reads(
    actor: str, request_id: str | None, data: SignalObserved
) -> None:
    at = parse_time(data.observed_at)
    seen = parse_observed(event(fast_body(actor, request_id, data), at))
    assert seen == (
        actor,
        data.model_version,
        at,
        data.sample_size,
        data.signal,
        parse_decimal(data.value),
    )


@given(decimals)
@example("-0.000000001")
@example("0")
@example("-999999999999.999999999")
def test_nano_is_exact(text: str) -> None:
    assert nano(text) == nano(text.encode()) == parse_decimal(text)


@given(actors, request_ids, observations(), st.data())
def test_changed_bytes_are_refused_or_are_another_canonical_observation(
    actor: str, request_id: str | None, data: SignalObserved, draw: st.DataObject
) -> None:
    body = fast_body(actor, request_id, data)
    at = draw.draw(st.integers(0, len(body)))
    cut = draw.draw(st.integers(0, 2))
    inserted = draw.draw(st.binary(max_size=2) | st.sampled_from([b" ", b"0", b'"', b",", b"-"]))
    spoilt = body[:at] + inserted + body[at + cut :]
    changed = event(spoilt, parse_time(data.observed_at))
    try:
        seen = parse_observed(changed)
    except LedgerError:
        return
    # What the template reads, the strict decoder reads too, and to the same observation; but for
    # the time, whose text is compared with the column by storage.
    parsed = changed.body
    assert encode(parsed._asdict()) == spoilt
    assert seen.source == parsed.actor
    assert ACTOR.fullmatch(parsed.actor)
    assert seen.sample_size == parsed.data["sample_size"] <= SAMPLE_SIZE_MAX
    assert seen.signal == parsed.data["signal"]
    assert seen.model_version == parsed.data["model_version"]
    assert seen.value == parse_decimal(parsed.data["value"])


@pytest.mark.parametrize(
    "damage",
    [
        (b'"sample_size":5', b'"sample_size":05'),
        (b'"sample_size":5', b'"sample_size":5.0'),
        (b'"sample_size":5', b'"sample_size":true'),
        (b'"sample_size":5', b'"sample_size":1000000000001'),
        (b'"value":"0.5"', b'"value":0.5'),
        (b'"value":"0.5"', b'"value":"0.50"'),
        (b'"value":"0.5"', b'"value":"-0"'),
        (b'"value":"0.5"', b'"value":"0.5","value":"0.5"'),
        (b'{"actor"', b' {"actor"'),
        (b"null}", b"null}\n"),
        (b'"run_id":null', b'"run_id":null,"x":1'),
        (b'"signal":"s"', b'"signal":"\\u0073"'),
    ],
)
def test_every_other_spelling_is_refused(damage: tuple[bytes, bytes]) -> None:
    whole = observed_body(
        observed_body_parts("services/m", None), "v1", format_time(0), 5, "s", "0.5"
    )
    assert typed(event(whole, 0), SignalObserved).value == "0.5"
    spoilt = whole.replace(*damage, 1)
    assert spoilt != whole
    with pytest.raises(LedgerError, match="canonical") as caught:
        parse_observed(event(spoilt, 0))
    assert caught.value.reason is Reason.EVENT_UNREADABLE
    assert caught.value.metadata["position"] == "7"


def test_an_erased_body_is_said_to_be_erased() -> None:
    with pytest.raises(LedgerError, match="erased") as caught:
        parse_observed(event(None, 0))
    assert caught.value.reason is Reason.BODY_ERASED
