"""A TLS front before a PostgreSQL server, as a cloud's proxy is: the wheel's server has no TLS.

It speaks the first words of PostgreSQL's protocol (SSLRequest and its answer), then passes bytes on
to the server's Unix socket. Its other end is the driver's own library, which verifies or does not.
"""

import asyncio
import ssl
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path

_SSL_REQUEST = struct.pack("!II", 8, 80_877_103)
_GSS_REQUEST = struct.pack("!II", 8, 80_877_104)


class TlsFront:
    """One front; `run` starts and stops it. It counts what was passed on."""

    def __init__(self, server: Path, context: ssl.SSLContext | None) -> None:
        """`context` None: it answers that there is no TLS."""
        self.port = 0
        self.passed_on = 0
        self._server = server
        self._context = context

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until either side ends it."""
        with suppress(OSError, EOFError, ssl.SSLError):
            first = await reader.readexactly(8)
            if first == _GSS_REQUEST:
                writer.write(b"N")
                first = await reader.readexactly(8)
            if first == _SSL_REQUEST:
                writer.write(b"N" if self._context is None else b"S")
                if self._context is not None:
                    await writer.start_tls(self._context)
                first = await reader.readexactly(8)
            self.passed_on += 1
            inward, outward = await asyncio.open_unix_connection(str(self._server))
            outward.write(first)
            await asyncio.gather(_pump(reader, outward), _pump(inward, writer))
        writer.close()

    async def serve(self, bound: "Future[None]", ending: asyncio.Event) -> None:
        """Listen on a free port of loopback until the event."""
        server = await asyncio.start_server(self.take, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        bound.set_result(None)
        await ending.wait()
        server.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextmanager
def tls_front(server: Path, certificate: Path | None, key: Path | None) -> Iterator[TlsFront]:
    """Run a front with a certificate, or one that has none, until the block ends."""
    context = None
    if certificate is not None and key is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
    front = TlsFront(server, context)
    bound: Future[None] = Future()
    loop = asyncio.new_event_loop()
    ending = asyncio.Event()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(front.serve(bound, ending))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    bound.result(60)
    try:
        yield front
    finally:
        loop.call_soon_threadsafe(ending.set)
        thread.join(60)
