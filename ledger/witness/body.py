"""The body of a request over HTTP/1.1 (RFC 9112), of a stated length or in chunks, and bounded.

A body that cannot be told apart from what follows it ends the connection: the caller must not go on
reading after a BodyError.
"""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final, Protocol

BODY_BYTES_MAX: Final = 262_144  # 63 hashes and a note with a hundred signatures
CHUNKS_MAX: Final = 4_096  # smaller ones than 64 bytes only cost time
TRAILERS_MAX: Final = 100

_LINE_BYTES_MAX: Final = 4_096
_LENGTH: Final = re.compile(r"0|[1-9][0-9]{0,11}", re.ASCII)
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n")


class BodyError(Exception):
    """A body that is not read: the status to answer, and why."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


class Source(Protocol):
    """The bytes that follow the headers; reading raises TimeoutError once the time is up."""

    def read(self, size: int, /) -> bytes:
        """Return so many bytes, fewer only where they end."""

    def readline(self, limit: int, /) -> bytes:
        """Return a line of at most so many bytes."""


def read_body(source: Source, lengths: Sequence[str], codings: Sequence[str]) -> bytes:
    """Return the body that the values of Content-Length and Transfer-Encoding announce."""
    if not codings:
        return _of_length(source, lengths)
    if [one.strip().lower() for one in codings] != ["chunked"]:
        raise BodyError(HTTPStatus.NOT_IMPLEMENTED, "no transfer coding is taken but chunked")
    if lengths:
        raise BodyError(HTTPStatus.BAD_REQUEST, "a request in chunks states no length")
    return _of_chunks(source)


def _of_length(source: Source, lengths: Sequence[str]) -> bytes:
    if len(lengths) != 1 or not _LENGTH.fullmatch(lengths[0]):
        raise BodyError(HTTPStatus.LENGTH_REQUIRED, "state the length of the request")
    if int(lengths[0]) > BODY_BYTES_MAX:
        raise _too_large()
    return _exactly(source, int(lengths[0]))


def _of_chunks(source: Source) -> bytes:
    body = bytearray()
    for _ in range(CHUNKS_MAX):
        match = _CHUNK.fullmatch(source.readline(_LINE_BYTES_MAX))
        if match is None:
            raise BodyError(HTTPStatus.BAD_REQUEST, "a chunk does not begin with its size")
        size = int(match[1], 16)
        if not size:
            _skip_trailers(source)
            return bytes(body)
        if len(body) + size > BODY_BYTES_MAX:
            raise _too_large()
        body += _exactly(source, size)
        if source.read(2) != b"\r\n":
            raise BodyError(HTTPStatus.BAD_REQUEST, "a chunk does not end where its size says")
    why = f"a request has at most {CHUNKS_MAX} chunks"
    raise BodyError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, why)


def _skip_trailers(source: Source) -> None:
    """Read the fields behind the last chunk, none of which means anything here."""
    for _ in range(TRAILERS_MAX):
        line = source.readline(_LINE_BYTES_MAX)
        if line == b"\r\n":
            return
        if not line.endswith(b"\n"):
            break
    raise BodyError(HTTPStatus.BAD_REQUEST, "the request does not end behind its last chunk")


def _exactly(source: Source, size: int) -> bytes:
    data = source.read(size)
    if len(data) < size:
        raise BodyError(HTTPStatus.BAD_REQUEST, "the request is shorter than it says")
    return data


def _too_large() -> BodyError:
    why = f"a request is at most {BODY_BYTES_MAX} bytes long"
    return BodyError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, why)
