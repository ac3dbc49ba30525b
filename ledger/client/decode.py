"""From messages to typed results: a dataclass field is read from the message's field of its name.

The annotation says how: a Timestamp for `datetime`, decimal text for `int` or `Decimal`, an enum by
its name without prefix, another dataclass by recursion; `| None` reads what is not set as None. A
reader is compiled once for each class. A class that begins with `Appended` reads those fields from
the answer's `appended`. A test holds every class against its message, so that no field of the
contract can be lost on the way.
"""

import dataclasses
import types
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Any, Final, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from ledger.client.call import AnswerPage, Call, Paged
from ledger.client.policy_scopes import PolicyScope
from ledger.client.records import Appended
from ledger.events.notation import budget_name

T = TypeVar("T")
_Convert = Callable[[Any], Any]
_Read: TypeAlias = Callable[[Any], T]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def decode(cls: type[T], message: Message) -> T:
    """Return the dataclass that a message becomes."""
    known: Any = cls  # mypy does not see that a class can be hashed
    result: T = _reader(known, message.DESCRIPTOR)(message)
    return result


def one(cls: type[T], field: str) -> _Read[T]:
    """Return what reads the single resource of an answer."""
    return lambda answer: decode(cls, getattr(answer, field))


def whole(cls: type[T]) -> _Read[T]:
    """Return what reads an answer that is the result itself."""
    return lambda answer: decode(cls, answer)


def paged(request: Message, cls: type[T], field: str) -> Paged[T]:
    """Return a list whose pages hold a resource each time in a field."""

    def read(answer: Any) -> AnswerPage[T]:  # noqa: ANN401 - one page of any list
        items = tuple([decode(cls, item) for item in getattr(answer, field)])
        return AnswerPage(items, answer.next_page_token, answer)

    return Paged(Call(request, read))


def moment(answer: Any) -> tuple[int, datetime | None]:  # noqa: ANN401 - an answer with `position`
    """Return the position and the time that a list shows."""
    time = to_datetime(answer.recorded_at) if answer.HasField("recorded_at") else None
    return answer.position, time


def to_datetime(timestamp: Any) -> datetime:  # noqa: ANN401 - a Timestamp, whose stubs differ
    """Return the aware datetime of a Timestamp, to the microsecond."""
    return _EPOCH + timedelta(seconds=timestamp.seconds, microseconds=timestamp.nanos // 1000)


@cache
def _reader(cls: type[Any], descriptor: Descriptor) -> _Convert:
    if cls is PolicyScope:
        return _policy_scope
    hints = get_type_hints(cls)
    sources = {budget_name(source.name): source for source in descriptor.fields}
    reads: list[tuple[str, _Convert]] = []
    for field in dataclasses.fields(cls):
        if field.name not in sources and issubclass(cls, Appended):
            reads.append((field.name, _of_appended(field.name, hints, descriptor)))
            continue
        reads.append((field.name, _field(hints[field.name], sources[field.name])))
    return lambda message: cls(**{name: read(message) for name, read in reads})


def _of_appended(name: str, hints: dict[str, Any], descriptor: Descriptor) -> _Convert:
    """Return what reads one field of an answer's `appended`."""
    place = descriptor.fields_by_name["appended"].message_type
    assert place is not None
    read = _field(hints[name], place.fields_by_name[name])
    return lambda message: read(message.appended)


def _field(hint: Any, source: FieldDescriptor) -> _Convert:  # noqa: ANN401 - an annotation
    """Return what reads one field out of its message."""
    name = source.name
    origin = get_origin(hint)
    if origin is tuple:
        item = _value(get_args(hint)[0], source)
        return lambda message: tuple([item(value) for value in getattr(message, name)])
    if origin in {Mapping, dict}.union({get_origin(Mapping[str, str])}):
        assert source.message_type is not None
        entry = _value(get_args(hint)[1], source.message_type.fields_by_name["value"])
        return lambda message: {key: entry(value) for key, value in getattr(message, name).items()}
    members = [
        member
        for member in (get_args(hint) if origin in {Union, types.UnionType} else (hint,))
        if member is not type(None)
    ]
    # `SignalKind | str` reads as the first: text is for callers only.
    convert = _value(members[0], source)
    optional = type(None) in get_args(hint)
    if optional and source.has_presence:
        return lambda message: convert(getattr(message, name)) if message.HasField(name) else None
    if optional:  # an empty text, or the UNSPECIFIED of an enum
        return lambda message: convert(value) if (value := getattr(message, name)) else None
    return lambda message: convert(getattr(message, name))


def _value(hint: Any, source: FieldDescriptor) -> _Convert:  # noqa: ANN401 - an annotation
    """Return what converts one value of a field."""
    if hint is datetime:
        return to_datetime
    if hint in {int, Decimal}:
        return _same if hint is int and source.type != FieldDescriptor.TYPE_STRING else hint
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        assert source.enum_type is not None
        return _Members(hint, source.enum_type).__getitem__
    if dataclasses.is_dataclass(hint):
        assert isinstance(hint, type)
        assert source.message_type is not None
        return _reader(hint, source.message_type)
    return _same


class UnknownChoiceError(ValueError):
    """The server sent a choice that this release of the client does not know."""


class _Members(dict[int, StrEnum]):
    """The members of an enum by number."""

    def __init__(self, cls: type[StrEnum], descriptor: EnumDescriptor) -> None:
        prefix = prefix_of(descriptor)
        super().__init__(
            (value.number, cls[budget_name(value.name.removeprefix(prefix))])
            for value in descriptor.values
            if value.number != 0
        )
        self._name = cls.__name__

    def __missing__(self, number: int) -> StrEnum:
        raise UnknownChoiceError(
            f"The server sent {self._name} number {number}, which this client does not know. "
            "Use a client of the server's release."
        )


def prefix_of(descriptor: EnumDescriptor) -> str:
    """Return what every value of an enum begins with: the name of its zero before UNSPECIFIED."""
    return descriptor.values_by_number[0].name.removesuffix("UNSPECIFIED")


def _policy_scope(message: Any) -> PolicyScope:  # noqa: ANN401 - a PolicyScope of the contract
    return PolicyScope(model=message.model, labels=dict(message.labels.labels))


def _same(value: T) -> T:
    return value
