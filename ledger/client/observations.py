"""Observations as callers write them, and the messages they become: the client's hot path.

A monitor sends tens of thousands of these a second, so each costs one pass and no intermediate
object. An observation that cannot be sent is refused here by its place, as `observations[3].value`;
all others are judged by the server, a batch at once.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, SupportsFloat, TypeAlias

from ledger.client.errors import invalid
from ledger.client.inputs import Time, Value, micros_of, plain
from ledger.client.observation_details import ObservationDetail, add_detail
from ledger.events.values import SECOND
from ledger.v1 import signal_pb2, signal_service_pb2

_MICROS_MAX: Final = 253_402_300_800 * SECOND  # what a Timestamp can hold: the year 9999
_MICROS_EARLY: Final = 946_684_800 * SECOND  # 2000: an integer below it is looked at closely
_INT64_MAX: Final = (1 << 63) - 1
_KEYS: Final = ("model", "signal", "value", "observed_at", "model_version", "sample_size")


@dataclass(frozen=True, slots=True)
class Observation:
    """One value of one signal of one model.

    Without `observed_at` it has the time at which the server takes it; a ledger that takes its time
    from the data (clock `data`) refuses it.
    """

    model: str
    signal: str
    value: Value
    observed_at: Time | None = None
    model_version: str = ""
    """Empty for the version in service; another one's values are shadow scores."""
    sample_size: int = 1
    """How many rows the value summarises."""
    detail: ObservationDetail | Mapping[str, Any] | None = None
    """Its details beyond the value, and which observation it corrects."""


ObservationLike: TypeAlias = Observation | Sequence[Any] | Mapping[str, Any]
"""An Observation, a tuple of its fields in order (at least three), or a mapping of them."""


Observations: TypeAlias = Sequence[ObservationLike] | Any
"""A list of them, or a DataFrame whose columns are named as the fields are."""


def listed(observations: Observations) -> Sequence[ObservationLike]:
    """Return the observations of a batch one by one; refuses what is only one of them."""
    if hasattr(observations, "columns"):
        return of_frame(observations)
    is_one = isinstance(observations, Observation | Mapping | str) or (
        isinstance(observations, tuple | list)
        and len(observations) > 0
        and isinstance(observations[0], str)
    )
    if is_one:
        raise invalid("observations", "is one observation", "Wrap it in a list.")
    return observations if isinstance(observations, Sequence) else list(observations)


def add_observations(
    request: signal_service_pb2.SubmitSignalsRequest | signal_service_pb2.StreamSignalsRequest,
    observations: Observations,
) -> None:
    """Add a batch to a request; FIELD_INVALID names the first item that cannot be sent."""
    add = request.observations.add
    for index, item in enumerate(listed(observations)):
        model, signal, value, observed_at, version, size = _fields(item, index)
        micros: int | None = None
        if type(observed_at) is int and _MICROS_EARLY <= observed_at < _MICROS_MAX:
            micros = observed_at
        elif observed_at is not None:
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
                message = _added(add, model, signal, value, index)
            if version:
                message.model_version = version
            if size != 1:
                message.sample_size = _count(size)
            if type(item) is not tuple and (detail := _detail_of(item)) is not None:
                add_detail(message, detail, f"observations[{index}].detail")
            if micros is not None:
                time = message.observed_at
                time.seconds, rest = divmod(micros, SECOND)
                time.nanos = rest * 1000
        except (TypeError, ValueError, OverflowError) as error:
            raise _unsendable(item, index, error) from error


def _detail_of(item: ObservationLike) -> object:
    if type(item) is Observation:
        return item.detail
    return item.get("detail") if isinstance(item, Mapping) else None


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
        if unknown := sorted(set(item) - {*_KEYS, "detail"}):
            raise invalid(
                f"observations[{index}].{str(unknown[0])[:40]}",
                "is not a field of an observation",
                f"Use {', '.join(_KEYS)}, detail.",
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


def _added(
    add: Callable[..., signal_pb2.Observation], model: str, signal: str, value: object, index: int
) -> signal_pb2.Observation:
    """Add an observation whose value is no plain float: exact ones as text, other reals as one."""
    if isinstance(value, str):
        return add(model=model, signal=signal, decimal=value)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return add(model=model, signal=signal, decimal=plain(value))
    if isinstance(value, SupportsFloat) and not isinstance(value, bool):  # any numbers.Real
        return add(model=model, signal=signal, number=float(value))
    raise invalid(
        f"observations[{index}].value",
        f"is a {type(value).__name__}",
        "Give a float, an int, a Decimal or decimal text.",
    )


def _count(size: Any) -> int:  # noqa: ANN401 - any value of a caller
    """Return a sample size, also where it is a float without a fraction, as from a DataFrame."""
    if not hasattr(size, "__index__") and hasattr(size, "__float__") and float(size).is_integer():
        size = int(float(size))
    if isinstance(size, bool) or not hasattr(size, "__index__"):
        raise TypeError("sample_size")
    return operator.index(size)


def of_frame(frame: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - of any library
    """Return the rows of a DataFrame (pandas or polars) as mappings, without its missing values."""
    names = [str(name) for name in frame.columns]
    if missing := [key for key in _KEYS[:3] if key not in names]:
        raise invalid(
            "observations",
            f"is a table without a column {missing[0]!r}: it has {', '.join(names)[:200]}",
            f"Name its columns {', '.join(_KEYS)}.",
        )
    rows = frame.to_dicts() if hasattr(frame, "to_dicts") else frame.to_dict("records")
    return [
        {key: value for key, value in row.items() if key in _KEYS[:3] or not _is_missing(value)}
        for row in rows
    ]


def _is_missing(value: Any) -> bool:  # noqa: ANN401 - a cell of any library
    try:
        return value is None or bool(value != value)  # noqa: PLR0124 - NaN and NaT differ from it
    except (TypeError, ValueError):
        return True  # pandas.NA has no truth


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
        return invalid(f"{path}.sample_size", f"{str(size)[:40]!r} is not a count", "Give an int.")
    return invalid(path, f"cannot be sent: {error}", "Check the types of its fields.")
