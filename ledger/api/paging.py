"""Pages of a growing ledger: a token that holds the place, the query and the position it began at.

A token is opaque to clients and worthless to change: it carries a digest of the query it belongs
to and one over itself. It is no secret and grants nothing, so it is not signed.
"""

import base64
import binascii
import hashlib
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from google.protobuf.message import Message

from ledger.errors import LedgerError, Reason, invalid_field
from ledger.limits import PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX

T = TypeVar("T")

_VERSION: Final = b"\x01"
_QUERY_BYTES: Final = 8
_SUM_BYTES: Final = 8
_CURSOR_BYTES_MAX: Final = 1024
_HEADER: Final = struct.Struct(">8sq")
# Fields that may differ between the pages of one list.
_FREE_FIELDS: Final = ("page_token", "page_size", "min_position")


class Listing(Protocol):
    """A request for a page of a list."""

    page_size: int
    page_token: str


@dataclass(frozen=True, slots=True)
class Page:
    """Where a page begins: after `cursor` (empty at the start), as of `upper` (None: not fixed)."""

    size: int
    cursor: str
    upper: int | None
    _query: bytes

    def token(self, cursor: str, upper: int) -> str:
        """Return the token of the page that begins after `cursor`."""
        head = _VERSION + _HEADER.pack(self._query, upper) + cursor.encode()
        return base64.urlsafe_b64encode(head + _digest(head)[:_SUM_BYTES]).decode().rstrip("=")

    def cut(
        self, found: Sequence[T], key: Callable[[T], object], upper: int = 0
    ) -> tuple[Sequence[T], str]:
        """Return what fits of the items from here on, and the token of the next page.

        "" where there is none: `found` has one more item, or more, than fit.
        """
        shown = found[: self.size]
        return shown, self.token(str(key(shown[-1])), upper) if len(found) > len(shown) else ""


def cut(page: Page, items: Iterable[T], key: Callable[[T], str]) -> tuple[Sequence[T], str]:
    """Return the items of a page of a list in order of key, and the token of the next one."""
    return page.cut([item for item in items if not page.cursor or key(item) > page.cursor], key)


def page_of(request: Listing) -> Page:
    """Return where the page that a request asks for begins.

    PAGE_TOKEN_INVALID for a damaged token or one of another query, FIELD_INVALID for a bad size.
    """
    size = request.page_size
    if size < 0:
        raise invalid_field(
            "page_size", f"is {size}", remedy="Send 0 for the default, or how many you want."
        )
    assert isinstance(request, Message)
    query = _query_digest(request)
    count = min(size or PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)
    token = request.page_token
    if not token:
        return Page(count, "", None, query)
    made_for, upper, cursor = _open(token)
    if made_for != query:
        raise _refused("belongs to another query")
    return Page(count, cursor, upper, query)


def _query_digest(request: Message) -> bytes:
    query = type(request)()
    query.CopyFrom(request)
    for name in _FREE_FIELDS:
        if name in query.DESCRIPTOR.fields_by_name:
            query.ClearField(name)
    content = query.SerializeToString(deterministic=True)
    return _digest(request.DESCRIPTOR.full_name.encode() + b"\x00" + content)[:_QUERY_BYTES]


def _open(token: str) -> tuple[bytes, int, str]:
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise _refused("is not one of ours") from error
    head, check = raw[:-_SUM_BYTES], raw[-_SUM_BYTES:]
    start = len(_VERSION) + _HEADER.size
    if not start <= len(head) <= start + _CURSOR_BYTES_MAX or _digest(head)[:_SUM_BYTES] != check:
        raise _refused("is damaged")
    if not head.startswith(_VERSION):
        raise _refused("comes from another release")
    query, upper = _HEADER.unpack_from(head, len(_VERSION))
    return query, upper, head[start:].decode()


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _refused(why: str) -> LedgerError:
    return LedgerError(
        Reason.PAGE_TOKEN_INVALID,
        f"page_token: {why}.",
        remedy="Start again from the first page, and change nothing but the token between pages.",
        metadata={"field": "page_token", "why": why},
    )
