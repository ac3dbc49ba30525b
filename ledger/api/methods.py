"""The methods that are served, collected from the generated registration functions.

A generated `add_…Servicer_to_server` hands its handlers to whatever has gRPC's two methods for it;
here they are kept as they are: behaviour, parser, serializer. How they are run is the front end's.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc

from ledger.api.calls import Parse

if TYPE_CHECKING:
    _Handler = grpc.RpcMethodHandler[Any, Any]  # generic in its stubs only


@dataclass(frozen=True, slots=True)
class ServedMethod:
    """One method: its full name, what it does, and how its messages are read and written."""

    name: str
    behaviour: Callable[..., Any]
    parse: Parse
    serialize: Callable[[Any], bytes]
    takes_many: bool
    answers_many: bool


class MethodTable(dict[str, ServedMethod]):
    """Methods by full name, such as `/ledger.v1.ModelService/GetModel`."""

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Do nothing: the same handlers come by name."""

    def add_registered_method_handlers(
        self, service: str, handlers: "Mapping[str, _Handler]"
    ) -> None:
        """Keep the handlers of a service."""
        for name, handler in handlers.items():
            method = _method(f"/{service}/{name}", handler)
            self[method.name] = method


def _method(name: str, handler: "_Handler") -> ServedMethod:
    kinds = (handler.unary_unary, handler.unary_stream, handler.stream_unary, handler.stream_stream)
    behaviour: Any = next(kind for kind in kinds if kind is not None)
    parse: Any = handler.request_deserializer
    serialize: Any = handler.response_serializer
    return ServedMethod(
        name, behaviour, parse, serialize, handler.request_streaming, handler.response_streaming
    )
