"""How a call is answered: receive on the event loop, work on threads, wait on the event loop.

gRPC hands over bytes and gets bytes; what does not parse is a refusal like any other. A call costs
a thread only while its servicer runs: not before its message is here, not while it waits for a
position, a commit or news, and not while its client is slow to read. A client that is gone ends
all that waits for it.

This is the one place where asyncio and the servicers meet.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import grpc
from grpc_status import rpc_status

from ledger.api import errors
from ledger.api.call_threads import CallThreads, LoopCallbacks
from ledger.api.calls import Admission, MalformedError, ServedCall, ServedMethod
from ledger.api.concurrency_limit import ConcurrencyLimit
from ledger.api.front_end import Timeouts
from ledger.api.notifier import Notifier
from ledger.api.rates import TooFastError
from ledger.api.server_context import ServerContext
from ledger.api.steps import Deferred, NotYetError, Pause
from ledger.api.streams import AnswerStream, RequestStream
from ledger.errors import LedgerError, Reason, invalid_field
from ledger.limits import (
    CALL_THREADS,
    LIMITS_LOOK_SECONDS,
    STREAM_THREADS,
    WAITS_MAX,
    WAITS_PER_CONNECTION,
)

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[bytes, bytes]
    Handler = grpc.RpcMethodHandler[bytes, bytes]
    Native = Callable[[Context, bytes], Awaitable[None]]

_GONE_SECONDS: Final = 0.05  # how soon after the end of its messages a client is known to be gone


class HandlerFactory:
    """Makes gRPC's handlers of methods. Belongs to one event loop."""

    def __init__(
        self,
        server: ServerContext,
        admission: Admission,
        limits: Mapping[str, ConcurrencyLimit],
        timeouts: Timeouts,
    ) -> None:
        """Begin within the running event loop. `limits` bounds methods by their full names."""
        self._loop = asyncio.get_running_loop()
        self._server = server
        self._call_limits = server.limits
        self._admission = admission
        self._limits = limits
        self._timeouts = timeouts
        self._waits = ConcurrencyLimit(
            "waiting reads", total=WAITS_MAX, per_connection=WAITS_PER_CONNECTION
        )
        self.notifier = Notifier(self._loop)
        self.callbacks = LoopCallbacks(self._loop)
        self._calls = CallThreads(self._loop, self.callbacks, CALL_THREADS)
        self._streams = CallThreads(self._loop, self.callbacks, STREAM_THREADS)
        self._exchanges: set[RequestStream] = set()
        self._awaited: set[asyncio.Timeout] = set()
        self._is_ending = False
        self._look()

    def drain(self) -> None:
        """Let what waits look up, and see that the server is going."""
        for exchange in self._exchanges:
            exchange.drain()
        self.notifier.notify()

    def end(self) -> None:
        """Let go of all that would only wait: calls without a message, and health watches."""
        self._is_ending = True
        for timeout in self._awaited:
            if not timeout.expired():  # which cannot be moved any more
                timeout.reschedule(self._loop.time())
        self.notifier.notify()

    async def idle(self, is_over: Callable[[], bool], seconds: float) -> bool:
        """Wait as the notifier does; return whether to go on, False once the server ends."""
        await self.notifier.until(lambda: is_over() or self._is_ending, seconds)
        return not self._is_ending

    def _look(self) -> None:
        """Have it said now and then which callers are not limited any more."""
        self._looking = self._loop.call_later(LIMITS_LOOK_SECONDS, self._look)
        self._call_limits.look()

    def close(self) -> None:
        """Let the threads go that do nothing, and say what is left to be said."""
        self._looking.cancel()
        self._calls.close()
        self._streams.close()
        self._call_limits.look(quiet_seconds=0)

    # ---- handlers --------------------------------------------------------------------------------

    def handler(self, method: ServedMethod) -> "Handler":
        """Return the handler of a method: to gRPC every request is a stream, read when it comes."""
        if method.takes_many:
            serve = partial(self._counted, self._exchange, method)
            return grpc.stream_stream_rpc_method_handler(self._many(method.name, serve))
        if method.answers_many:
            serve = partial(self._counted, self._stream, method)
            return grpc.stream_stream_rpc_method_handler(self._many(method.name, serve))

        async def answer(_: object, context: "Context") -> Any:  # noqa: ANN401 - bytes
            call, refusal = ServedCall(method.name, context), None
            try:
                return await self._counted(self._answer, method, call, context)
            except Exception as error:  # noqa: BLE001 - nothing of ours may reach the client raw
                refusal = error
            finally:
                call.is_over = True
            return await self._refuse(call, context, refusal)

        return grpc.stream_unary_rpc_method_handler(answer)

    def native(self, name: str, serve: "Native") -> "Handler":
        """Return the handler of a method that uses no thread: health, which answers always.

        Its calls have no rate: to refuse one costs as much as to answer it.
        """

        async def answers(call: ServedCall, context: "Context") -> None:
            data = await self._message(context)
            with self._held(name, call):
                await serve(context, data)

        return grpc.stream_stream_rpc_method_handler(self._many(name, answers))

    def _many(self, name: str, serve: "Callable[[ServedCall, Context], Awaitable[None]]") -> Any:  # noqa: ANN401
        async def answers(_: object, context: "Context") -> None:
            call, refusal = ServedCall(name, context), None
            try:
                await serve(call, context)
            except grpc.aio.AbortError:
                raise  # ended already
            except grpc.aio.BaseError as error:
                raise asyncio.CancelledError from error  # the client is gone
            except Exception as error:  # noqa: BLE001 - as above
                refusal = error
            finally:
                call.is_over = True
            if refusal is not None:
                await self._refuse(call, context, refusal)

        return answers

    # ---- the three kinds -------------------------------------------------------------------------

    async def _counted(
        self,
        serve: "Callable[[ServedMethod, ServedCall, Context], Awaitable[Any]]",
        method: ServedMethod,
        call: ServedCall,
        context: "Context",
    ) -> Any:  # noqa: ANN401 - bytes or nothing
        """Serve a call as far as its address and its actor are within their limits."""
        try:
            self._call_limits.enter(call)
            return await serve(method, call, context)
        finally:
            call.is_over = True  # before it leaves: what a thread does for it takes no place then
            self._call_limits.leave(call)

    async def _answer(self, method: ServedMethod, call: ServedCall, context: "Context") -> Any:  # noqa: ANN401
        """Answer one request once."""
        data = await self._message(context)
        self._call_limits.received(call, len(data))

        def step() -> Any:  # noqa: ANN401 - bytes, or what will become bytes
            request = self._admission.request(call, data, method.parse)
            answer = method.behaviour(request, call)
            return answer if isinstance(answer, Deferred) else method.serialize(answer)

        with self._held(method.name, call):
            found: Any = await self._carried(call, self._calls, step)
            if isinstance(found, Deferred):
                await self._heard(found)
                finish = partial(_serialized, method, found)
                found = (
                    await self._carried(call, self._calls, finish) if found.is_long else finish()
                )
            return found

    async def _stream(self, method: ServedMethod, call: ServedCall, context: "Context") -> None:
        """Answer one request with a stream."""
        data = await self._message(context)
        self._call_limits.received(call, len(data))

        def begin() -> Any:  # noqa: ANN401 - an iterator of any messages
            return method.behaviour(self._admission.request(call, data, method.parse), call)

        with self._held(method.name, call):
            steps = AnswerStream(begin, method.serialize)

            def step() -> bytes | Pause | None:
                self._admission.check_again(call)
                return steps.next()

            try:
                while (found := await self._carried(call, self._streams, step)) is not None:
                    if isinstance(found, Pause):
                        await self.notifier.until(
                            lambda pause=found: pause.is_over() or self._server.is_draining,  # type: ignore[misc]
                            found.seconds,
                        )
                    else:
                        await context.write(found)
            finally:
                if steps.leave():
                    self._streams.leave(call.peer, steps.close)

    async def _exchange(self, method: ServedMethod, call: ServedCall, context: "Context") -> None:
        """Answer each request of a stream, in order."""
        with self._held(method.name, call):
            data = await self._message(context, is_needed=False)
            if data is None:
                return
            self._call_limits.received(call, len(data))

            def begin() -> Any:  # noqa: ANN401 - an Exchange of any messages
                self._admission.authenticate(call)
                return method.behaviour(None, call)

            session = await self._carried(call, self._streams, begin)
            received = partial(self._call_limits.received, call)
            exchange = RequestStream(method, context, session, self._heard, received)
            self._exchanges.add(exchange)
            try:
                await exchange.run(data, partial(self._carried, call, self._streams))
                if exchange.is_cut:
                    self._server.check_draining()
            finally:
                self._exchanges.discard(exchange)

    # ---- what they share -------------------------------------------------------------------------

    def _held(self, name: str, call: ServedCall) -> Any:  # noqa: ANN401 - a context manager
        limit = self._limits.get(name)
        return nullcontext() if limit is None else limit.held(call.peer)

    async def _message(self, context: "Context", *, is_needed: bool = True) -> Any:  # noqa: ANN401
        """Return a call's first message; DEADLINE_EXCEEDED if none follows in time."""
        timeout = asyncio.timeout(self._timeouts.message_seconds)
        self._awaited.add(timeout)
        try:
            async with timeout:
                data: Any = await context.read()
        except TimeoutError as error:
            self._server.check_draining()
            raise LedgerError(
                Reason.DEADLINE_EXCEEDED,
                f"No message followed the call within {self._timeouts.message_seconds:g} s.",
                remedy="Send the message with the call, or open the stream when there is one.",
            ) from error
        finally:
            self._awaited.discard(timeout)
        if data is not grpc.aio.EOF:
            return data
        await asyncio.sleep(_GONE_SECONDS)  # a client that is gone is heard of a moment later
        if is_needed:
            raise invalid_field(
                "message", "the call ended without one", remedy="Send a request with the call."
            )
        return None

    async def _carried(
        self, call: ServedCall, threads: CallThreads, step: Callable[[], Any]
    ) -> Any:  # noqa: ANN401 - the step's own type
        """Return the outcome of a step on a thread, taken again after each wait it asks for."""
        try:
            return await threads.run(call.peer, step)
        except NotYetError as error:
            pause = error.pause
        with self._waits.held(call.peer), self._call_limits.waiting(call):
            while True:
                await self._waited(call, pause)
                try:
                    return await threads.run(call.peer, step)
                except NotYetError as error:
                    pause = error.pause

    async def _waited(self, call: ServedCall, pause: Pause) -> None:
        """Wait as a read asks to, as long as its caller has timeouts."""
        now = self._loop.time()
        if call.wait_until is None:
            call.wait_until = now + call.wait_seconds
        await self.notifier.until(
            lambda: pause.is_over() or self._server.is_draining,
            max(0.0, min(pause.seconds, call.wait_until - now)),
        )
        self._server.check_draining()
        call.is_patient = self._loop.time() < call.wait_until

    async def _heard(self, later: Deferred[Any]) -> None:
        """Wait until what an answer needs is there."""
        heard: asyncio.Future[None] = self._loop.create_future()

        def hear() -> None:
            if not heard.done():
                heard.set_result(None)

        later.future.add_done_callback(lambda _: self.callbacks.post(hear))
        await heard

    async def _refuse(self, call: ServedCall, context: "Context", error: Exception) -> Any:  # noqa: ANN401
        """End a call with what is wrong. Raises what gRPC raises.

        A caller that sends what is no message, or too much, is answered late: that costs nothing,
        and slows down one that does not wait by itself.
        """
        if isinstance(error, MalformedError):
            await self.idle(lambda: False, self._timeouts.malformed_seconds)
        elif isinstance(error, TooFastError):
            pause = error.retry_after_seconds or 0.0
            await self.idle(lambda: False, min(pause, self._timeouts.limited_seconds))
        status = rpc_status.to_status(errors.to_status(self._admission.refusal(call, error)))
        await context.abort(status.code, status.details, status.trailing_metadata)


def _serialized(method: ServedMethod, later: Deferred[Any]) -> bytes:
    return method.serialize(later.then(later.future))
