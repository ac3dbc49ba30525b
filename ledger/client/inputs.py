"""Times, names and enums as callers may write them, and their form on the wire.

Times are aware datetimes, text of one, or integers of microseconds since 1970; a naive datetime is
refused, because it names no moment. A bare integer that would fall before 2000 is refused too: it
is nearly always seconds or milliseconds. With a unit behind it (`1772712000s`) it is what it says,
and what is finer than a microsecond is cut off. Names may be written with or without their
collection: `fares` and `models/fares` are the same model.
"""

import operator
import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from enum import StrEnum
from typing import Any, Final, SupportsFloat, TypeAlias

from google.protobuf.timestamp_pb2 import Timestamp

from ledger.client.authority import Administrator, AuthorityScope, CallerIdentity
from ledger.client.decode import prefix_of
from ledger.client.enums import AuditSource, SignalDirection, SignalKind
from ledger.client.errors import invalid
from ledger.client.jobs import JobEnvironment, ReportedEvidence
from ledger.client.policy_scopes import PolicyScope
from ledger.client.proofs import AuditReport
from ledger.client.records import Model, Signal
from ledger.client.trials import PolicySource
from ledger.events.values import SECOND, nearest_decimal
from ledger.v1 import (
    audit_pb2,
    authority_pb2,
    job_pb2,
    model_pb2,
    policy_pb2,
    signal_pb2,
    trial_pb2,
)

Time: TypeAlias = datetime | int | str
"""An aware datetime, text of one, or microseconds since 1970-01-01T00:00:00Z."""
Value: TypeAlias = float | int | str | Decimal
"""A number as observed, any `numbers.Real` too; recorded rounded half to even at 9 decimals."""

_UNITS: Final = {
    "s": Decimal(SECOND),
    "ms": Decimal(1_000),
    "us": Decimal(1),
    "ns": Decimal("0.001"),
}
_NAMES: Final = {"s": "seconds", "ms": "milliseconds", "ns": "nanoseconds"}
_SUFFIXED: Final = re.compile(r"(-?[0-9]{1,20}(?:\.[0-9]{1,20})?)(s|ms|us|ns)", re.ASCII)
_INTEGER: Final = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_SECOND: Final = timedelta(seconds=1)
_FIRST: Final = 946_684_800_000_000  # 2000-01-01
_LAST: Final = 4_102_444_800_000_000  # 2100-01-01
TIME_FORMS: Final = "Write it as 2026-03-01T10:00:00Z, or as microseconds since 1970."


class NoTimeError(ValueError):
    """A value that cannot be a time: its fault, and a correct one to write instead."""

    def __init__(self, fault: str, remedy: str = TIME_FORMS) -> None:
        super().__init__(fault)
        self.fault = fault
        self.remedy = remedy


def micros_of_integer(number: int) -> int:
    """Return the microseconds since 1970 that a bare integer is; NoTimeError for a likely slip."""
    if _FIRST <= number < _LAST:
        return number
    for suffix in ("s", "ms", "ns"):
        micros = int(number * _UNITS[suffix])
        if _FIRST <= micros < _LAST:
            iso = (_EPOCH + micros * _MICROSECOND).strftime("%Y-%m-%dT%H:%M:%SZ")
            raise NoTimeError(
                f"{number} looks like {_NAMES[suffix]}: microseconds since 1970 are expected, or "
                f"write it as {iso} or {number}{suffix}",
                "",
            )
    if number < _FIRST:
        shown = number if abs(number) < 10**20 else "it"
        raise NoTimeError(
            f"{shown} would be a time before 2000: microseconds since 1970 are expected, or write "
            f"such a time with its unit, as {shown}us",
            "",
        )
    return number


def micros_of_text(text: str) -> int:
    """Return the microseconds since 1970 that a text names; NoTimeError says what is wrong."""
    if match := _SUFFIXED.fullmatch(text):
        return int((Decimal(match[1]) * _UNITS[match[2]]).to_integral_value(ROUND_FLOOR))
    if _INTEGER.fullmatch(text):
        return micros_of_integer(int(text))
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise NoTimeError(f"{text[:40]!r} is not a time") from None
    if time.tzinfo is None:
        raise NoTimeError(f"{text[:40]!r} has no time zone, so it names no moment")
    return micros_of_datetime(time)


def micros_of_datetime(time: datetime) -> int:
    """Return the microseconds since 1970 of an aware time."""
    return (time - _EPOCH) // _MICROSECOND


def micros_of(time: Time, field: str) -> int:
    """Return the microseconds since 1970 of a time; FIELD_INVALID names `field`."""
    if isinstance(time, datetime):
        if time.tzinfo is None:
            raise invalid(
                field,
                f"{time.isoformat()} has no time zone, so it names no moment",
                "Give it one, such as `.replace(tzinfo=datetime.UTC)`.",
            )
        return micros_of_datetime(time)
    try:
        if isinstance(time, str):
            return micros_of_text(time)
        if hasattr(time, "__index__") and not isinstance(time, bool):
            return micros_of_integer(operator.index(time))  # numpy's integers too
    except NoTimeError as error:
        raise invalid(field, error.fault, error.remedy) from None
    raise invalid(
        field,
        f"{str(time)[:40]!r} is not a time",
        "Give an aware datetime, text such as 2026-03-01T10:00:00Z, or microseconds since 1970.",
    )


def timestamp_of(time: Time, field: str) -> Timestamp:
    """Return the Timestamp of a time; what lies outside its range is refused by name."""
    seconds, micros = divmod(micros_of(time, field), SECOND)
    if not -62_135_596_800 <= seconds < 253_402_300_800:
        raise invalid(
            field, "lies before the year 1 or after 9999", "Give microseconds since 1970."
        )
    return Timestamp(seconds=seconds, nanos=micros * 1000)


def moment_fields(as_of: Time | None, as_of_position: int | None) -> dict[str, Any]:
    """Return the fields of a request for a past moment; the position wins, neither is now."""
    if as_of_position is not None:
        return {"as_of_position": as_of_position}
    return {} if as_of is None else {"as_of_time": timestamp_of(as_of, "as_of_time")}


def seconds_of(span: timedelta | int, field: str) -> int:
    """Return the whole seconds of a span, which an integer states as it is."""
    seconds = span // _SECOND if isinstance(span, timedelta) else operator.index(span)
    if isinstance(span, timedelta) and span % _SECOND:
        raise invalid(field, f"{span} is not a whole number of seconds", "Give such a span.")
    if abs(seconds) >= 2**31:
        raise invalid(field, f"{span!s:.40} is too long", "Give a shorter span.")
    return seconds


def decimal_text(value: Value, field: str) -> str:
    """Return a value as decimal text; the server checks text, rounds at 9 places and says so.

    What is neither text nor exact is read as a double, as an observed one is.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | Decimal | SupportsFloat):
        raise invalid(
            field, f"{str(value)[:40]!r} is not a number", "Give a number or decimal text."
        )
    if isinstance(value, int | Decimal):
        return plain(value)
    try:
        text = repr(float(value))
        nearest_decimal(text)  # refuse here what no decimal is near to
    except (ValueError, OverflowError) as error:
        raise invalid(field, f"{str(value)[:40]!r} {error}", "Give a finite number.") from error
    return text


def plain(value: int | Decimal) -> str:
    """Return the plain spelling: no exponent, no trailing zeros, no minus zero."""
    if isinstance(value, int):
        return str(value)
    if not value.is_finite():
        return str(value)  # the server says what is wrong with it
    if abs(value.adjusted()) > 64:  # far outside what fits either way: do not spell it out
        return f"{value:.3e}" if value else "0"
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in {"-0", ""} else text


def number_of(value: StrEnum | str | None, cls: type[StrEnum], wire: Any, field: str) -> Any:  # noqa: ANN401
    """Return the number in `wire` (an enum of the contract) of a member or its name; None is 0.

    Case does not matter, and `-` or a space is as good as `_`.
    """
    if value is None:
        return 0
    name = str(value).upper().replace("-", "_").replace(" ", "_")
    if name not in cls.__members__:
        choices = ", ".join(cls.__members__)
        raise invalid(field, f"{str(value)[:40]!r} is not one of {choices}", "Choose one.")
    return wire.Value(prefix_of(wire.DESCRIPTOR) + name)


def in_collection(collection: str, name: str) -> str:
    """Return the resource name of an id; a resource name stays what it is."""
    return name if name.startswith(f"{collection}/") else f"{collection}/{name}"


def id_of(collection: str, name: str) -> str:
    """Return the id in a resource name; an id stays what it is."""
    return name.removeprefix(f"{collection}/")


def version_name(name: str, version: int, collection: str = "policies") -> str:
    """Return the resource name of a version of a policy, or of another thing with versions."""
    return f"{collection}/{id_of(collection, name)}/versions/{version}"


def scope_message(scope: PolicyScope | None) -> policy_pb2.PolicyScope | None:
    """Return the scope to send; None for the whole ledger."""
    if scope is None or not (scope.model or scope.labels):
        return None
    if scope.model:
        return policy_pb2.PolicyScope(model=id_of("models", scope.model))
    labels = policy_pb2.LabelSelector(labels=dict(scope.labels))
    return policy_pb2.PolicyScope(labels=labels)


def source_message(source: PolicySource) -> trial_pb2.PolicySource:
    """Return the policy that is meant, as it is sent."""
    if source.document:
        return trial_pb2.PolicySource(document=source.document)
    if source.version:
        return trial_pb2.PolicySource(name=version_name(source.policy, source.version))
    return trial_pb2.PolicySource(name=in_collection("policies", source.policy))


def signal_message(signal: Signal) -> signal_pb2.Signal:
    """Return the definition to send; what the server fills in stays out."""
    kinds, directions = signal_pb2.SignalKind, signal_pb2.SignalDirection
    unstated: Any = None  # then it is the standard's
    return signal_pb2.Signal(
        signal=id_of("signals", signal.signal),
        kind=number_of(signal.kind, SignalKind, kinds, "signal.kind") if signal.kind else unstated,
        unit=signal.unit,
        direction=number_of(signal.direction, SignalDirection, directions, "signal.direction")
        if signal.direction
        else unstated,
        meaning=signal.meaning,
        collection=signal.collection,
        owner=signal.owner,
        standard=signal.standard,
    )


def model_message(model: Model) -> model_pb2.Model:
    """Return the description to send; what the server fills in stays out."""
    return model_pb2.Model(
        model=id_of("models", model.model),
        owner=model.owner,
        tier=model.tier,
        labels=dict(model.labels),
        impact_ppm=model.impact_ppm,
        risk_ppm=model.risk_ppm,
        slo_signal=model.slo_signal,
        unit_value_micros=str(model.unit_value_micros),
        cost_micros=str(model.cost_micros),
        recipe=model.recipe,
        schema_version=model.schema_version,
        features_version=model.features_version,
        architecture=model.architecture,
        meaning=model.meaning,
    )


def audit_message(report: AuditReport) -> audit_pb2.AuditReport:
    """Return the report to send."""
    sources = audit_pb2.AuditSource
    source = number_of(report.source, AuditSource, sources, "report.source")
    return audit_pb2.AuditReport(**asdict(report) | {"source": source})


def environment_message(environment: JobEnvironment) -> job_pb2.JobEnvironment:
    """Return the environment to send."""
    stated = asdict(environment)
    stated["snapshots"] = [job_pb2.DataSnapshot(**one) for one in stated["snapshots"]]
    stated["seed"] = "" if environment.seed is None else str(environment.seed)
    return job_pb2.JobEnvironment(**stated)


def evidence_message(evidence: ReportedEvidence | None) -> job_pb2.GateEvidence | None:
    """Return the evidence to send."""
    if evidence is None:
        return None
    known = evidence
    artifacts = [
        job_pb2.JobArtifact(name=one.name, sha256=_digest(one.sha256, "artifacts"))
        for one in known.artifacts
    ]
    return job_pb2.GateEvidence(
        metrics=known.metrics,
        samples=known.samples,
        champion=known.champion,
        candidate=known.candidate,
        cost_micros="" if known.cost_micros is None else str(known.cost_micros),
        artifacts=artifacts,
        links=known.links,
        log_sha256=_digest(known.log_sha256, "log_sha256"),
    )


def _digest(text: str, field: str) -> bytes:
    """Return a digest that is written in hex."""
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise invalid(field, f"{text[:80]!r} is not hex", "Write a SHA-256 in hex.") from error


def identity_message(identity: CallerIdentity) -> authority_pb2.Identity:
    """Return the identity to send."""
    return authority_pb2.Identity(**asdict(identity))


def administrator_message(administrator: Administrator) -> authority_pb2.Administrator:
    """Return the administrator to send."""
    return authority_pb2.Administrator(
        actor=administrator.actor,
        person=administrator.person,
        identities=[identity_message(one) for one in administrator.identities],
    )


def authority_scope_message(scope: AuthorityScope | None) -> authority_pb2.AuthorityScope | None:
    """Return the scope to send; None for the whole ledger."""
    if scope is None:
        return None
    return authority_pb2.AuthorityScope(
        models=[id_of("models", one) for one in scope.models],
        labels=dict(scope.labels),
        signals=[id_of("signals", one) for one in scope.signals],
    )
