"""A gRPC server that answers what a test tells it to, and remembers what it was asked."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.message import Message
from grpc_status import rpc_status

from ledger.api.errors import to_status
from ledger.errors import LedgerError

Outcome = Message | grpc.StatusCode | LedgerError | list["Outcome"] | None
"""An answer, a bare status, a rich refusal; for a stream a list of answers and how it ends.

None for a call that is let go unanswered, as gRPC does where too many come at once.
"""


@dataclass
class Script(grpc.GenericRpcHandler):
    """Outcomes by method, used up in order; the last is given again."""

    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)
    asked: list[tuple[str, bytes]] = field(default_factory=list)
    metadata: list[dict[str, str]] = field(default_factory=list)
    deadlines: list[float] = field(default_factory=list)
    target: str = ""

    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any] | None":
        name = details.method.rpartition("/")[2]
        if name not in self.outcomes:
            return None
        is_stream = isinstance(self.outcomes[name][0], list)
        make: Callable[..., Any] = (
            grpc.unary_stream_rpc_method_handler
            if is_stream
            else grpc.unary_unary_rpc_method_handler
        )
        answer = self._answers if is_stream else self._answer

        def behave(request: bytes, context: grpc.ServicerContext) -> object:
            return answer(self._next(name, request, context), context)

        handler: grpc.RpcMethodHandler[Any, Any] = make(behave)
        return handler

    def requests(self, cls: type[Any]) -> list[Any]:
        """Return every request as a message."""
        return [cls.FromString(raw) for _, raw in self.asked]

    def _next(self, name: str, request: bytes, context: grpc.ServicerContext) -> Outcome:
        self.asked.append((name, request))
        self.metadata.append({key: str(value) for key, value in context.invocation_metadata()})
        self.deadlines.append(context.time_remaining() or -1.0)
        left = self.outcomes[name]
        return left.pop(0) if len(left) > 1 else left[0]

    def _answer(self, outcome: Outcome, context: grpc.ServicerContext) -> bytes:
        if outcome is None:
            context.cancel()
            return b""
        if isinstance(outcome, Message):
            return outcome.SerializeToString()
        if isinstance(outcome, LedgerError):
            context.abort_with_status(rpc_status.to_status(to_status(outcome)))
        assert isinstance(outcome, grpc.StatusCode)
        context.abort(outcome, "as the test wants it")
        raise AssertionError("abort returned")

    def _answers(self, outcome: Outcome, context: grpc.ServicerContext) -> Iterator[bytes]:
        assert isinstance(outcome, list)
        for each in outcome:
            yield self._answer(each, context)


@contextmanager
def scripted(**outcomes: list[Outcome]) -> Iterator[Script]:
    """Serve a script on a free port."""
    script = Script(outcomes)
    server = grpc.server(ThreadPoolExecutor(4), handlers=[script])
    script.target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield script
    finally:
        server.stop(None).wait()
