"""Carrying out calls on a gRPC channel: deadlines, retries, pages, watches; for asyncio."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, TypeVar

import grpc
import grpc.aio

from ledger.client.call import METHODS, AnswerPage, Call, Paged, Steps, Wait
from ledger.client.errors import ClientError, UnreachableError, from_rpc
from ledger.client.handshake import explained
from ledger.client.options import CHANNEL_OPTIONS, RENEW_SECONDS, ClientOptions

T = TypeVar("T")


class AsyncClientConnection:
    """One channel with the settings of its client, for tasks of one event loop."""

    def __init__(self, settings: ClientOptions, channel: grpc.aio.Channel | None = None) -> None:
        self.settings = settings
        self.channel = channel or _opened(settings)

    def with_settings(self, settings: ClientOptions) -> "AsyncClientConnection":
        """Return a connection with other settings on the same channel."""
        return AsyncClientConnection(settings, self.channel)

    async def close(self) -> None:
        """Close the channel; calls under way are cancelled."""
        await self.channel.close()

    async def run(self, call: Call[T]) -> T:
        """Carry out one call within its deadline; raise ClientError unless it succeeds."""
        deadline = max(self.settings.deadline_seconds, call.deadline_seconds_min)
        attempts = self.settings.attempts(deadline)
        request: Any = call.request
        self.settings.state(request, call.request_id)
        method = METHODS[request.DESCRIPTOR.full_name]
        invoke: Any = self.channel.unary_unary(
            method.name,
            request_serializer=type(request).SerializeToString,
            response_deserializer=method.response.FromString,
        )
        while True:
            timeout = attempts.timeout_seconds()
            try:
                return call.read(
                    await invoke(request, timeout=timeout, metadata=self.settings.metadata)
                )
            except grpc.aio.AioRpcError as error:
                failure = from_rpc(
                    error,
                    target=self.settings.target,
                    deadline_seconds=deadline,
                    request_id=getattr(request, "request_id", ""),
                )
                pause = attempts.pause_seconds(error.code(), failure)
                if pause is None:
                    raise await self.explained(failure) from error
            await asyncio.sleep(pause)

    async def carry_out(self, steps: Steps[T]) -> T:
        """Make the calls that steps ask for, and return what they come to."""
        answer: Any = None
        failure: ClientError | None = None
        while True:
            try:
                step = steps.send(answer) if failure is None else steps.throw(failure)
            except StopIteration as end:
                result: T = end.value
                return result
            answer, failure = None, None
            if isinstance(step, Wait):
                await asyncio.sleep(step.seconds)
                continue
            try:
                answer = await self.run(step)
            except ClientError as error:
                failure = error

    async def pages(self, paged: Paged[T]) -> AsyncIterator[AnswerPage[T]]:
        """Yield the pages of a list, each asked for once the one before was processed."""
        page = await self.run(paged.first)
        yield page
        while page.next_page_token:
            page = await self.run(paged.after(page.next_page_token))
            yield page

    async def all_pages(self, paged: Paged[T]) -> list[AnswerPage[T]]:
        """Return every page of a list."""
        return [page async for page in self.pages(paged)]

    async def items(self, paged: Paged[T]) -> AsyncIterator[T]:
        """Yield the items of a list, page by page."""
        async for page in self.pages(paged):
            for item in page.items:
                yield item

    async def stream(self, call: Call[T]) -> AsyncIterator[T]:
        """Yield the answers of a stream until the server ends it. It is not tried again."""
        deadline = max(self.settings.deadline_seconds, call.deadline_seconds_min)
        answers = self._open(call, deadline)
        try:
            async for response in answers:
                yield call.read(response)
        except grpc.aio.AioRpcError as error:
            failure = from_rpc(error, target=self.settings.target, deadline_seconds=deadline)
            raise await self.explained(failure) from error
        finally:
            answers.cancel()

    async def watch(self, call: Call[list[tuple[T, int]]], after_position: int) -> AsyncIterator[T]:
        """Yield what a watch sends, without end; taken up again after the last one processed.

        Its call reads from an answer what to yield, each with the position that is done once it was
        processed. The answer's own `position` is done after all of them.
        """
        request: Any = call.request
        position, attempts = after_position, self.settings.attempts()
        while True:
            attempts.timeout_seconds()
            request.after_position = position
            answers = self._open(call, RENEW_SECONDS)
            try:
                async for response in answers:
                    # It is served: a later failure is a new one.
                    attempts = self.settings.attempts()
                    for item, done in call.read(response):
                        yield item
                        position = done
                    position = max(position, response.position)
            except grpc.aio.AioRpcError as error:
                failure = from_rpc(
                    error, target=self.settings.target, deadline_seconds=RENEW_SECONDS
                )
                try:
                    pause = attempts.renewal_pause_seconds(error.code(), failure)
                except UnreachableError as ended:
                    raise await self.explained(ended) from error
            else:
                pause = 0.0
            finally:
                answers.cancel()
            await asyncio.sleep(pause)

    async def explained(self, failure: ClientError) -> ClientError:
        """Return a last failure with its cause, where that is the security of the connection."""
        return await asyncio.to_thread(explained, self.settings, failure)

    def _open(self, call: Call[Any], timeout: float) -> Any:  # noqa: ANN401 - a call of gRPC's
        request = call.request
        self.settings.state(request, call.request_id)
        method = METHODS[request.DESCRIPTOR.full_name]
        invoke: Any = self.channel.unary_stream(
            method.name,
            request_serializer=type(request).SerializeToString,
            response_deserializer=method.response.FromString,
        )
        return invoke(request, timeout=timeout, metadata=self.settings.metadata)


def _opened(settings: ClientOptions) -> grpc.aio.Channel:
    address = settings.place.address
    if not settings.place.is_secure:
        return grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
    credentials = settings.security.credentials()
    return grpc.aio.secure_channel(address, credentials, options=CHANNEL_OPTIONS)


class AsyncServiceCalls:
    """The connection through which the calls of a service are made."""

    _connection: AsyncClientConnection
