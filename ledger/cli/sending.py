"""Sending rows as a stream of batches, and saying exactly what is on record whatever happens."""

import re
from collections.abc import Iterator
from typing import Final

from ledger.cli import output
from ledger.cli.exits import MisuseError
from ledger.cli.rows import Row
from ledger.cli.session import session
from ledger.client import ClientError
from ledger.client.enums import LedgerClock
from ledger.client.window import BatchResult
from ledger.errors import FieldViolation

_ITEM: Final = re.compile(r"observations\[([0-9]+)\]\.?")


class _Account:
    """What was sent and what was answered, in rows of the input."""

    def __init__(self) -> None:
        self.rows: dict[int, list[int]] = {}
        """Numbers of the rows of each batch that was not acknowledged."""
        self.acknowledged = 0
        self.last_row = 0
        """Everything up to this row is on record, apart from refused batches."""
        self.position = 0
        self.refused: BatchResult | None = None

    def take(self, result: BatchResult) -> None:
        """Note an answer; answers come in order."""
        if result.appended is not None:
            self.acknowledged += result.observations
            self.last_row = self.rows.pop(result.batch)[-1]
            self.position = result.appended.position
        elif self.refused is None:
            self.refused = result


def send(
    rows: Iterator[Row],
    *,
    batch_size: int,
    skip: int,
    request_prefix: str,
    total_bytes: int | None,
) -> None:
    """Send rows in batches, with a progress bar over the bytes of the input."""
    account = _Account()
    try:
        with output.progress("Submitting", total_bytes) as move:
            _send(rows, account, move, batch_size, skip, request_prefix)
    except (KeyboardInterrupt, ClientError, MisuseError):
        output.say(_where(account))
        raise
    if account.refused is not None:
        output.say(_where(account))
        raise _refusal(account)
    said = f"{_observations(account)} recorded, up to position {account.position}."
    if not account.acknowledged:
        beyond = f" after row {skip}" if skip else ""
        said = f"Nothing was submitted: the input holds no rows{beyond}."
    session().show({"acknowledged": account.acknowledged, "position": account.position}, said)


def timed(rows: Iterator[Row]) -> Iterator[Row]:
    """Yield the rows as they are; MisuseError for one without a time where the data tell it.

    The machine's time, with which the client stamps such a row, would become the now of a `data`
    ledger. The ledger is asked for its clock at the first such row, not before.
    """
    may_be_stamped = False
    for row in rows:
        if row.observation.observed_at is None and not may_be_stamped:
            if session().client.get_ledger().clock == LedgerClock.DATA:
                raise MisuseError(
                    f"{row.place}: observed_at is missing, and time in this ledger is told by its "
                    "data.",
                    "State when it was observed, as 2026-03-01T10:00:00Z, or as microseconds since "
                    "1970.",
                )
            may_be_stamped = True
        yield row


def _send(
    rows: Iterator[Row],
    account: _Account,
    move: output.Progress,
    batch_size: int,
    skip: int,
    request_prefix: str,
) -> None:
    with session().client.stream_signals(on_result=account.take) as stream:
        batches = 0
        try:
            for batch in _batches(timed(rows), batch_size, skip):
                batches += 1
                account.rows[batches] = [row.number for row in batch]
                request_id = f"{request_prefix}:{batches}" if request_prefix else None
                stream.send([row.observation for row in batch], request_id=request_id)
                move(batch[-1].bytes_read)
                if account.refused is not None:
                    return
        except MisuseError:
            stream.flush()  # what was sent before the bad row is settled first
            raise


def _batches(rows: Iterator[Row], size: int, skip: int) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for row in rows:
        if row.number <= skip:
            continue
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _where(account: _Account) -> str:
    """Return what is on record, and how to go on."""
    if not account.acknowledged:
        return "0 observations were acknowledged."
    was = "was" if account.acknowledged == 1 else "were"
    return (
        f"{_observations(account)} {was} acknowledged, up to row {account.last_row} and "
        f"position {account.position}. To go on from there: --skip {account.last_row}"
    )


def _observations(account: _Account) -> str:
    return output.counted(account.acknowledged, "observation")


def _refusal(account: _Account) -> ClientError:
    """Return the refusal with the rows of the input instead of the items of a batch."""
    from ledger.client.errors import refused

    result = account.refused
    assert result is not None
    assert result.error is not None
    numbers = account.rows[result.batch]

    def by_row(text: str) -> str:
        return _ITEM.sub(lambda match: f"row {numbers[int(match[1])]}: ", text)

    error = result.error
    return refused(
        error.reason,
        f"Rows {numbers[0]} to {numbers[-1]} were refused together. {by_row(error.message)}",
        remedy="Correct the named rows and submit these again.",
        violations=[FieldViolation(by_row(v.field), v.description) for v in error.violations],
        metadata=error.metadata,
    )
