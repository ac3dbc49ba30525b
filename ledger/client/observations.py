"""Observations as callers write them, and the messages they become: the client's hot path.

A monitor sends tens of thousands of these a second, so each costs one pass and no intermediate
object. What cannot be sent at all is refused here by its place, as `observations[3].value`; what
can be sent is judged by the server, all of a batch at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeAlias

from ledger.client.errors import invalid
from ledger.client.inputs import Time, Value, micros_of, plain
from ledger.v1 import signal_service_pb2

_MICROS: Final = 1_000_000
_MICROS_MAX: Final = 253_402_300_800 * _MICROS  # what a Timestamp can hold: the year 9999
_INT64_MAX: Final = (1 << 63) - 1
_KEYS: Final = ("model", "signal", "value", "observed_at", "model_version", "sample_size")


@dataclass(frozen=True, slots=True)
class Observation:
    """One value of one signal of one model; without `observed_at`, it was observed now."""

    model: str
    signal: str
    value: Value
    observed_at: Time | None = None
    model_version: str = ""
    """Empty for the version in service; another one's values are shadow scores."""
    sample_size: int = 1
    """How many rows the value summarises."""


ObservationLike: TypeAlias = Observation | Sequence[Any] | Mapping[str, Any]
"""An Observation, a tuple of its fields in order (at least three), or a mapping of them."""


def add_observations(
    request: signal_service_pb2.SubmitSignalsRequest | signal_service_pb2.StreamSignalsRequest,
    items: Sequence[ObservationLike],
    now_micros: int,
) -> None:
    """Add a batch to a request; FIELD_INVALID names the first item that cannot be sent."""
    add = request.observations.add
    for index, item in enumerate(items):
        model, signal, value, observed_at, version, size = _fields(item, index)
        if type(observed_at) is int:
            micros = observed_at
        elif observed_at is None:
            micros = now_micros
        else:
            micros = micros_of(observed_at, f"observations[{index}].observed_at")
        if not -_MICROS_MAX < micros < _MICROS_MAX:
            raise invalid(
                f"observations[{index}].observed_at",
                "lies outside the years a time can have",
                "Give microseconds since 1970, or an aware datetime.",
            )
        try:
            if type(value) is float:
                message = add(model=model, signal=signal, number=value)
            else:
                message = add(model=model, signal=signal, decimal=_text(value, index))
            if version:
                message.model_version = version
            if size != 1:
                if not size:  # the contract reads 0 as "not stated"; who states it is wrong
                    raise invalid(
                        f"observations[{index}].sample_size", "is 0", "Leave it out, or count."
                    )
                message.sample_size = size
            time = message.observed_at
            time.seconds, rest = divmod(micros, _MICROS)
            time.nanos = rest * 1000
        except (TypeError, ValueError) as error:
            raise _unsendable(item, index, error) from error


def _fields(item: ObservationLike, index: int) -> tuple[Any, Any, Any, Any, Any, Any]:
    if type(item) is Observation:
        return (
            item.model,
            item.signal,
            item.value,
            item.observed_at,
            item.model_version,
            item.sample_size,
        )
    if isinstance(item, tuple | list):
        if not 3 <= len(item) <= len(_KEYS):
            raise invalid(
                f"observations[{index}]",
                f"has {len(item)} fields",
                f"Give three to six, in the order {', '.join(_KEYS)}.",
            )
        rest = item[3:]
        return (
            item[0],
            item[1],
            item[2],
            rest[0] if rest else None,
            rest[1] if len(rest) > 1 else "",
            rest[2] if len(rest) > 2 else 1,
        )
    if isinstance(item, Mapping):
        if unknown := sorted(set(item) - set(_KEYS)):
            raise invalid(
                f"observations[{index}].{str(unknown[0])[:40]}",
                "is no field of an observation",
                f"Use {', '.join(_KEYS)}.",
            )
        if missing := [key for key in _KEYS[:3] if key not in item]:
            raise invalid(f"observations[{index}].{missing[0]}", "is missing", "State it.")
        return (
            item["model"],
            item["signal"],
            item["value"],
            item.get("observed_at"),
            item.get("model_version", ""),
            item.get("sample_size", 1),
        )
    raise invalid(
        f"observations[{index}]",
        f"is a {type(item).__name__}",
        "Give an Observation, a tuple or a mapping of its fields.",
    )


def _text(value: object, index: int) -> str:
    """Return the decimal text of a value that is no plain float."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return plain(value)
    if hasattr(value, "__float__") and not isinstance(value, bool):  # numpy's scalars
        return plain(Decimal(repr(float(value))))
    raise invalid(
        f"observations[{index}].value",
        f"is a {type(value).__name__}",
        "Give a float, an int, a Decimal or decimal text.",
    )


def _unsendable(item: ObservationLike, index: int, error: Exception) -> Exception:
    """Return the refusal that names the field which the message would not take."""
    model, signal, _, _, version, size = _fields(item, index)
    path = f"observations[{index}]"
    for name, text in (("model", model), ("signal", signal), ("model_version", version)):
        if not isinstance(text, str):
            return invalid(f"{path}.{name}", f"is a {type(text).__name__}", "Give text.")
        if not text.isascii():
            return invalid(f"{path}.{name}", "holds characters outside ASCII", "Use a-z and 0-9.")
    if isinstance(size, bool) or not isinstance(size, int) or abs(size) > _INT64_MAX:
        return invalid(f"{path}.sample_size", f"{str(size)[:40]!r} is no count", "Give an int.")
    return invalid(path, f"cannot be sent: {error}", "Check the types of its fields.")
