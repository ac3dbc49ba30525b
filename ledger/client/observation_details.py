"""Details of an observation beyond its value, as callers write them, and their message."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Final

from ledger.client.errors import invalid
from ledger.client.inputs import Value, decimal_text
from ledger.v1 import signal_pb2


@dataclass(frozen=True, slots=True)
class ObservationDetail:
    """The details of one observation; a mapping of these fields is taken too."""

    corrects: int = 0
    """Position of the observation in whose place this one counts; its time and version stay out."""
    estimated: bool = False
    """Whether the value is an estimate of what is not known yet."""
    raw: Value | None = None
    """The measured value that the value is derived from."""
    indicators: Mapping[str, Value] = field(default_factory=dict)
    """Further values derived from it, by name; they move no score."""
    report_uri: str = ""
    """Where the raw report lies."""
    report_sha256: str = ""


KEYS: Final = tuple(one.name for one in fields(ObservationDetail))


def add_detail(message: signal_pb2.Observation, detail: object, path: str) -> None:
    """Add a detail to an observation, with its value; FIELD_INVALID names what cannot be sent."""
    stated = _stated(detail, path)
    observed = repr(message.number) if message.HasField("number") else message.decimal
    sent = message.detail  # one of the values there can be: it takes the place of the other
    try:
        sent.value = observed
        sent.corrects, sent.estimated = stated.corrects, stated.estimated
        if stated.raw is not None:
            sent.raw = decimal_text(stated.raw, f"{path}.raw")
        for name, value in stated.indicators.items():
            sent.indicators[name] = decimal_text(value, f"{path}.indicators.{name}")
        if stated.report_uri or stated.report_sha256:
            sent.report.uri, sent.report.sha256 = stated.report_uri, stated.report_sha256
    except (TypeError, ValueError, AttributeError) as error:
        raise invalid(path, f"cannot be sent: {error}", "Check the types of its fields.") from error


def _stated(detail: object, path: str) -> ObservationDetail:
    if isinstance(detail, ObservationDetail):
        return detail
    if not isinstance(detail, Mapping):
        what = f"is a {type(detail).__name__}"
        raise invalid(path, what, "Give an ObservationDetail or a mapping of its fields.")
    if unknown := sorted(set(detail) - set(KEYS)):
        name = str(unknown[0])[:40]
        raise invalid(f"{path}.{name}", "is no field of a detail", f"Use {', '.join(KEYS)}.")
    return ObservationDetail(**detail)
