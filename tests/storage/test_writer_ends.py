"""A caller of the writer always hears: whatever fails in its thread, no append waits for ever.

Method: let the parts fail that run while a failure is being handled, then append with a bound on
the wait.
"""

from collections.abc import Callable
from typing import NoReturn

import pytest

from ledger.errors import LedgerError, Reason
from ledger.storage import Store
from tests.support.hooks import database_of, lose_log, writing
from tests.support.stores import asking, note

REQUEST = asking(note())


def broken(*_: object, **__: object) -> NoReturn:
    raise ZeroDivisionError("a defect")


def no_close(store: Store, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(writing(store), "close", broken)


def no_log(_: Store, patch: pytest.MonkeyPatch) -> None:
    lose_log(patch)


def no_callback(store: Store, _: pytest.MonkeyPatch) -> None:
    store.on_change(broken)


BREAKS: dict[str, Callable[[Store, pytest.MonkeyPatch], None]] = {
    "the connection cannot be closed": no_close,
    "the log cannot be written": no_log,
    "who wants to know fails": no_callback,
}


@pytest.mark.parametrize("what", BREAKS)
def test_every_append_is_answered_although_the_writer_fails_while_it_fails(
    what: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.requests.append(REQUEST)
    with monkeypatch.context() as patched:
        BREAKS[what](store, patched)
        patched.setattr(database_of(store), "check_held", broken)
        futures = [store.requests.submit(REQUEST) for _ in range(3)]
        for future in futures:
            with pytest.raises((LedgerError, ZeroDivisionError)):
                future.result(timeout=30)
        with pytest.raises(LedgerError) as caught:
            store.requests.submit(REQUEST).result(timeout=30)
        assert caught.value.reason in {Reason.STORE_UNAVAILABLE, Reason.DRAINING}
        assert store.writer_failure is not None
