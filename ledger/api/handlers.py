"""Rebuilding gRPC handlers: the one place that knows there are four kinds.

Interceptors wrap through these functions, so that none can forget a kind.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc

if TYPE_CHECKING:
    Handler: TypeAlias = grpc.RpcMethodHandler[Any, Any]
else:
    Handler = grpc.RpcMethodHandler  # generic in its stubs only
Continuation: TypeAlias = Callable[[grpc.HandlerCallDetails], Handler | None]
Behaviour: TypeAlias = Callable[..., Any]
Parse: TypeAlias = Callable[[bytes], object]
Look: TypeAlias = Callable[[object, grpc.ServicerContext], None]
"""Sees a request, or the iterator of a stream's, before the handler does; may raise."""


def around(handler: Handler, wrap: Callable[[Behaviour], Behaviour]) -> Handler:
    """Return the handler with its behaviour wrapped."""
    return _rebuilt(handler, wrap(_behaviour(handler)), handler.request_deserializer)


def before(handler: Handler, look: Look) -> Handler:
    """Return the handler with a look at each call first."""

    def wrap(behaviour: Behaviour) -> Behaviour:
        def looked(request: object, context: grpc.ServicerContext) -> object:
            look(request, context)
            return behaviour(request, context)

        return looked

    return around(handler, wrap)


def parsed_by(handler: Handler, wrap: Callable[[Parse], Parse]) -> Handler:
    """Return the handler with its request parser wrapped."""
    parse = handler.request_deserializer
    assert parse is not None, "generated handlers always parse"
    return _rebuilt(handler, _behaviour(handler), wrap(parse))


def _behaviour(handler: Handler) -> Behaviour:
    kinds = (handler.unary_unary, handler.unary_stream, handler.stream_unary, handler.stream_stream)
    behaviour = next(kind for kind in kinds if kind is not None)
    assert callable(behaviour)
    return behaviour


def _rebuilt(handler: Handler, behaviour: Behaviour, parse: Parse | None) -> Handler:
    makers = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }
    make: Callable[..., Handler] = makers[handler.request_streaming, handler.response_streaming]
    return make(
        behaviour,
        request_deserializer=parse,
        response_serializer=handler.response_serializer,
    )
