"""A witness that answers what a test tells it to, or nothing at all."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = tuple[int, bytes]
Script = Callable[[str, bytes], Answer | None]
"""Takes path and body (empty for a GET); None leaves the caller without an answer."""


@contextmanager
def scripted_witness(script: Script) -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Serve a script on loopback; gives the URL and the requests as they come in."""
    seen: list[tuple[str, bytes]] = []
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers["Content-Length"])))

        def _answer(self, body: bytes) -> None:
            seen.append((self.path, body))
            answer = script(self.path, body)
            if answer is None:
                over.wait(300)
                return
            self.send_response(answer[0])
            self.send_header("Content-Length", str(len(answer[1])))
            self.end_headers()
            self.wfile.write(answer[1])

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base has it
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/prefix", seen
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()
