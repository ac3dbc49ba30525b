"""The methods that are served, as the contract describes them and a servicer has them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.message_factory import GetMessageClass

from ledger.api.calls import Parse


@dataclass(frozen=True, slots=True)
class ServedMethod:
    """One method: its full name, what it does, and how its messages are read and written."""

    name: str
    """Such as `/ledger.v1.ModelService/GetModel`."""
    behaviour: Callable[..., Any]
    parse: Parse
    serialize: Callable[[Any], bytes]
    takes_many: bool
    answers_many: bool


def methods_of(service: str, servicer: object) -> Iterator[ServedMethod]:
    """Yield the methods of a service by its full name, each with what the servicer does for it."""
    for method in descriptor_pool.Default().FindServiceByName(service).methods:
        yield ServedMethod(
            f"/{service}/{method.name}",
            getattr(servicer, method.name),
            GetMessageClass(method.input_type).FromString,
            GetMessageClass(method.output_type).SerializeToString,
            method.client_streaming,
            method.server_streaming,
        )
