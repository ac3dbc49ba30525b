"""Signals and observations. `rows_of` is the hot path: every observation goes through it."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from ledger.api.checks import Checks
from ledger.api.convert.basics import (
    NANOS_MAX,
    NANOS_PER_MICRO,
    inverse,
    message_of,
    numbers,
    timestamp_of,
)
from ledger.application.fleet.definitions import Replacement
from ledger.application.fleet.fleet import SignalRecord
from ledger.application.fleet.intake import IntakeResult, ObservationRow
from ledger.application.fleet.observation_details import UNSTATED, StatedDetail
from ledger.application.names import nearest
from ledger.events.signals import (
    Direction,
    SignalDefined,
    SignalDefinedV2,
    SignalKind,
    StandardPart,
)
from ledger.events.standard_signals import StandardSignal, standard, standards
from ledger.events.values import SECOND
from ledger.limits import BATCH_OBSERVATIONS_MAX, LABEL_CHARS_MAX
from ledger.v1 import signal_pb2, signal_service_pb2
from projections.signal_rows import SignalRow

_KINDS: Final = numbers(signal_pb2.SignalKind, SignalKind)
_KIND_NAMES: Final = inverse(_KINDS)
_DIRECTIONS: Final = numbers(signal_pb2.SignalDirection, Direction)
_DIRECTION_NAMES: Final = inverse(_DIRECTIONS)
_BREACH: Final = {
    "unscored": signal_pb2.BREACH_STATE_UNSPECIFIED,
    "silent": signal_pb2.BREACH_STATE_SILENT,
    "ok": signal_pb2.BREACH_STATE_CLEAR,
    "breaching": signal_pb2.BREACH_STATE_BREACHED,
    "sustained": signal_pb2.BREACH_STATE_SUSTAINED,
}


class StatedSignal(NamedTuple):
    """A definition as a request states it; empty without an owner, None without a standard."""

    defined: SignalDefined
    owner: str
    standard: StandardPart | None


def signal_of(message: signal_pb2.Signal, checks: Checks) -> StatedSignal:
    """Return the definition a request states; raises FIELD_INVALID with all that `checks` found."""
    entry = _adopted(message.standard, checks) if message.standard else None
    if entry is not None:
        message = _completed(message, entry)
    checks.identifier("signal.signal", message.signal)
    if message.kind not in _KIND_NAMES:
        checks.refuse("signal.kind", "is required: one of " + ", ".join(_KINDS))
    checks.text("signal.unit", message.unit, maximum=LABEL_CHARS_MAX)
    if message.direction not in _DIRECTION_NAMES:
        checks.refuse("signal.direction", "is required: one of " + ", ".join(_DIRECTIONS))
    checks.text("signal.meaning", message.meaning)
    if message.collection:
        checks.text("signal.collection", message.collection)
    if message.owner:
        checks.text("signal.owner", message.owner, maximum=LABEL_CHARS_MAX)
    checks.done()
    defined = SignalDefined.from_data(
        {
            "signal": message.signal,
            "kind": _KIND_NAMES[message.kind],
            "unit": message.unit,
            "direction": _DIRECTION_NAMES[message.direction],
            "meaning": message.meaning,
            "collection": message.collection,
        }
    )
    is_followed = entry is not None and entry.is_followed_by(defined)
    adopted = (
        StandardPart(name=entry.name, version=entry.version) if entry and is_followed else None
    )
    return StatedSignal(defined, message.owner, adopted)


def _adopted(name: str, checks: Checks) -> StandardSignal | None:
    entry = standard(name)
    if entry is None:
        near = nearest(name, [one.name for one in standards()])
        meant = f" (did you mean {near!r}?)" if near else ""
        checks.refuse("signal.standard", f"is no standard signal: {name!r}{meant}")
    return entry


def _completed(message: signal_pb2.Signal, entry: StandardSignal) -> signal_pb2.Signal:
    """Return the definition with all that it does not state as the entry has it."""
    completed = signal_pb2.Signal(
        signal=entry.name,
        kind=_KINDS[entry.kind],
        unit=entry.unit,
        direction=_DIRECTIONS[entry.direction],
        meaning=entry.meaning,
        collection=entry.collection,
    )
    completed.MergeFrom(message)
    return completed


def replacements_of(
    messages: Iterable[signal_service_pb2.PolicyReplacement], checks: Checks
) -> list[Replacement]:
    """Return what a request replaces policies by; `checks` collects what is wrong with it."""
    found = []
    for index, message in enumerate(messages):
        field = f"replacements[{index}]"
        policy, version = checks.version_name(f"{field}.name", message.name, version_optional=True)
        checks.document(f"{field}.document", message.document)
        checks.text(f"{field}.rationale", message.rationale)
        found.append(Replacement(policy, version, message.document, message.rationale))
    return found


def signal(view: SignalRecord) -> signal_pb2.Signal:
    """Return a definition with its place."""
    defined = view.defined
    assert defined is not None, "an erased definition is not shown"
    owned = defined if isinstance(defined, SignalDefinedV2) else None
    adopted = owned.standard if owned else None
    return message_of(
        signal_pb2.Signal,
        defined,
        name=f"signals/{defined.signal}",
        position=view.placed.position,
        owner=owned.owner if owned else "",
        standard=adopted.name if adopted else "",
        standard_version=adopted.version if adopted else 0,
        version=view.version,
    )


def rows_of(
    observations: Iterable[signal_pb2.Observation], unstated_time: int | None
) -> tuple[list[ObservationRow], dict[int, StatedDetail]]:
    """Return a batch as the application takes it; FIELD_INVALID names every item that is not whole.

    `unstated_time` is that of items that state none; None where the data tell the time. Only what
    the tuple cannot carry is checked here: presence and nanoseconds. One loop, no calls.
    """
    rows: list[ObservationRow] = []
    details: dict[int, StatedDetail] = {}
    append = rows.append
    is_whole = True
    for item in observations:
        value: float | str = item.number
        if not value and not item.HasField("number"):
            value = item.decimal
            if not value and item.HasField("detail"):
                value = item.detail.value
                details[len(rows)] = _detail(item.detail)
            if not value:
                is_whole = False
        at = item.observed_at
        nanos = at.nanos
        at_micros = at.seconds * SECOND + nanos // NANOS_PER_MICRO
        if not at_micros and not item.HasField("observed_at"):
            if details and item.detail.corrects:
                at_micros = UNSTATED
            elif unstated_time is None:
                is_whole = False
            else:
                at_micros = unstated_time
        elif not 0 <= nanos < NANOS_MAX:
            is_whole = False
        size = item.sample_size
        if not size and not item.HasField("sample_size"):
            size = 1
        append((item.model, item.signal, item.model_version, value, at_micros, size))
    if not is_whole or not rows or len(rows) > BATCH_OBSERVATIONS_MAX:
        _refuse(list(observations), is_time_stated_by_data=unstated_time is None)
    return rows, details


def _detail(message: signal_pb2.ObservationDetail) -> StatedDetail:
    return StatedDetail(
        raw=message.raw if message.HasField("raw") else None,
        indicators=dict(message.indicators),
        estimated=message.estimated,
        corrects=message.corrects,
        report_uri=message.report.uri,
        report_sha256=message.report.sha256,
    )


def _refuse(observations: list[signal_pb2.Observation], *, is_time_stated_by_data: bool) -> None:
    """Raise FIELD_INVALID for a batch that is empty, over-full or has items that are not whole."""
    checks = Checks()
    if not observations:
        checks.refuse("observations", "is required: 1 to 5000 observations")
    elif len(observations) > BATCH_OBSERVATIONS_MAX:
        checks.refuse(
            "observations",
            f"has {len(observations)} items; at most {BATCH_OBSERVATIONS_MAX} fit in a batch",
        )
    else:
        for index, item in enumerate(observations):
            path = f"observations[{index}]"
            checks.identifier(f"{path}.model", item.model)
            checks.identifier(f"{path}.signal", item.signal)
            if not (item.HasField("number") or item.decimal or item.detail.value):
                checks.refuse(f"{path}.value", "is required: a `decimal` or a `number`")
            if item.HasField("observed_at"):
                checks.time(f"{path}.observed_at", item.observed_at, given=True)
            elif is_time_stated_by_data and not item.detail.corrects:
                checks.refuse(
                    f"{path}.observed_at",
                    "this ledger takes its time from the data: state observed_at",
                )
    checks.done()
    raise AssertionError("a whole batch was refused")


def intake(taken: IntakeResult) -> signal_service_pb2.Intake:
    """Return what was done to the values of a batch, and which were on record already."""
    duplicates = taken.appended.duplicates
    return signal_service_pb2.Intake(
        rounded=taken.rounded,
        vanished=taken.vanished,
        likely_duplicates=duplicates.found,
        left_out=duplicates.left_out,
        duplicates_first_position=duplicates.first_position,
        duplicates_last_position=duplicates.last_position,
    )


def signal_state(row: SignalRow, likely_duplicates: int) -> signal_pb2.SignalState:
    """Return the state of one signal of one model."""
    latest, previous, score = row["latest"], row["previous"], row["score"]
    state = signal_pb2.SignalState(
        model=row["model"],
        signal=row["signal"],
        observations=row["count"],
        shadow_observations=row["shadow_count"],
        breach=_BREACH[row["state"]],
        previous_value=previous["value"] if previous else "",
        change=row["change"] or "",
        likely_duplicates=likely_duplicates,
    )
    if latest is not None:
        state.model_version = latest["model_version"]
        state.latest_value = latest["value"]
        state.observed_at.CopyFrom(timestamp_of(latest["observed_at"]))
        state.position = latest["position"]
    if score is not None:
        state.trend_ppm = score["trend"]
        state.magnitude_ppm = score["magnitude"]
        state.share_ppm = score["share"]
    return state
