"""gRPC's standard services beside ours: health on the event loop alone, reflection for tools."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import grpc
from grpc_health.v1 import health, health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from ledger.api.calls import ServedMethod, parsed
from ledger.limits import HEALTH_WATCHES_LOOK_SECONDS

if TYPE_CHECKING:
    Idle = Callable[[Callable[[], bool], float], Awaitable[bool]]
    Context = grpc.aio.ServicerContext[bytes, bytes]

CHECK: Final = f"/{health.SERVICE_NAME}/Check"
WATCH: Final = f"/{health.SERVICE_NAME}/Watch"
REFLECT: Final = f"/{reflection.SERVICE_NAME}/ServerReflectionInfo"

_Response = health_pb2.HealthCheckResponse


class Health:
    """The health of each service, by name. Set on any thread."""

    def __init__(self) -> None:
        self._statuses: dict[str, Any] = {}
        self._changed: Callable[[], None] = lambda: None

    def set(self, names: tuple[str, ...], *, is_serving: bool) -> None:
        """Say whether these are served, and tell who watches."""
        status = _Response.SERVING if is_serving else _Response.NOT_SERVING
        for name in names:
            self._statuses[name] = status
        self._changed()

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back, on any thread, when something changed."""
        self._changed = callback

    async def check(self, context: "Context", data: bytes) -> None:
        """Answer Check."""
        status = self._statuses.get(_service(data))
        if status is None:
            await context.abort(grpc.StatusCode.NOT_FOUND)
        await context.write(_Response(status=status).SerializeToString())

    async def watch(self, idle: "Idle", context: "Context", data: bytes) -> None:
        """Answer Watch: now, and at each change, until the server ends."""
        name, status = _service(data), None
        is_going_on = True
        while is_going_on:
            if self._is_changed(name, status):
                status = self._statuses.get(name, _Response.SERVICE_UNKNOWN)
                await context.write(_Response(status=status).SerializeToString())
            changed = partial(self._is_changed, name, status)
            is_going_on = await idle(changed, HEALTH_WATCHES_LOOK_SECONDS)

    def _is_changed(self, name: str, status: object) -> bool:
        return bool(self._statuses.get(name, _Response.SERVICE_UNKNOWN) != status)


class Reflection:
    """Tells tools what is served: one answer for each question."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._servicer = reflection.ReflectionServicer(names)
        self.method: Final = ServedMethod(
            REFLECT,
            lambda *_: self,
            reflection_pb2.ServerReflectionRequest.FromString,
            reflection_pb2.ServerReflectionResponse.SerializeToString,
            takes_many=True,
            answers_many=True,
        )

    def take(self, data: bytes) -> Any:  # noqa: ANN401 - a message of gRPC's
        """Answer one question."""
        question: Any = parsed(data, reflection_pb2.ServerReflectionRequest.FromString)
        no_context: Any = None  # it looks at none
        return next(iter(self._servicer.ServerReflectionInfo(iter([question]), no_context)))


def _service(data: bytes) -> str:
    request: Any = parsed(data, health_pb2.HealthCheckRequest.FromString)
    name: str = request.service
    return name
