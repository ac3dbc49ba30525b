"""Batches of rows, sent as a stream, and exactly what is on record after any failure."""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.client import ClientError, LedgerClient
from ledger.client.enums import LedgerClock
from ledger.client.errors import refused
from ledger.client.records import Submitted
from ledger.client.window import BatchResult
from ledger.errors import FieldViolation
from ledger.events.notation import counted
from ledger.operations.failures import MisuseError
from ledger.operations.submission.rows import Row, opened, raw_lines

_ITEM: Final = re.compile(r"observations\[([0-9]+)\]\.?")


def rounded_said(number: int) -> str:
    """Say how many values were rounded; at least one was."""
    return f"{counted(number, 'value')} {'was' if number == 1 else 'were'} rounded to 9 decimals."


@dataclass(slots=True)
class SubmissionTotals:
    """The totals of the answers about the observations."""

    recorded: int = 0
    position: int = 0
    """Of the last one that was recorded now, or else that is on record already."""
    already: int = 0
    already_first: int = 0
    already_last: int = 0
    """Where the first and the last of those are that were on record already."""
    rounded: int = 0
    vanished: int = 0
    likely_duplicates: int = 0
    left_out: int = 0

    def take(self, submitted: Submitted, observations: int) -> None:
        """Add the answer to a batch of so many observations."""
        intake = submitted.intake
        self.rounded += intake.rounded
        self.vanished += intake.vanished
        self.likely_duplicates += intake.likely_duplicates
        self.left_out += intake.left_out
        places = intake.duplicates_first_position, intake.duplicates_last_position
        if submitted.repeated_request:
            self._take_places(observations - intake.left_out, *submitted.places)
        elif submitted.places[1]:
            self.recorded += observations - intake.left_out
            self.position = max(self.position, submitted.position)
        self._take_places(intake.left_out, *places)

    def _take_places(self, count: int, first: int, last: int) -> None:
        self.already += count
        if count and first:
            self.already_first = min(self.already_first or first, first)
            self.already_last = max(self.already_last, last)
            self.position = max(self.position, last) if not self.recorded else self.position

    @property
    def acknowledged(self) -> int:
        """How many are on record, whether since now or before."""
        return self.recorded + self.already

    @property
    def on_record(self) -> str:
        """Say how many were on record already, and where; empty if none was."""
        if not self.already:
            return ""
        one = self.already == 1
        where = f"position {self.already_first}"
        if self.already_first != self.already_last:
            where = f"positions {self.already_first} to {self.already_last}"
        at = f" at {where}" if self.already_first else ""
        are = "is" if one else "are"
        return f"{counted(self.already, 'observation')} {are} already on record{at}."

    @property
    def remarks(self) -> list[str]:
        """Say what was done to values, and what was recorded though it repeats something."""
        said = []
        if rounded := self.rounded - self.vanished:
            said.append(rounded_said(rounded))
        if self.vanished:
            was = "was" if self.vanished == 1 else "were"
            said.append(
                f"{counted(self.vanished, 'value')} {was} too small for 9 decimals and "
                f"{was} recorded as 0; send -log10(p) instead."
            )
        if kept := self.likely_duplicates - self.left_out:
            repeats = "repeats" if kept == 1 else "repeat"
            said.append(f"{counted(kept, 'observation')} {repeats} earlier ones.")
        return said


@dataclass(frozen=True, slots=True)
class SendOptions:
    """How rows are sent: by so many, from which on, under which request ids, repeats or not."""

    batch_size: int = 500
    skip: int = 0
    request_prefix: str = ""
    keep_duplicates: bool = False
    allow_leap: bool = False


class Submission:
    """One run over the rows of an input: what was sent and what was answered, by their numbers."""

    def __init__(self, client: LedgerClient, how: SendOptions) -> None:
        self._client = client
        self._how = how
        self._rows: dict[int, list[int]] = {}
        """Numbers of the rows of each batch that was not acknowledged."""
        self.totals = SubmissionTotals()
        self._last_row = 0
        """Everything up to this row is on record, apart from refused batches."""
        self._refused: BatchResult | None = None

    def _take(self, result: BatchResult) -> None:
        """Note an answer; answers come in order."""
        if result.appended is not None:
            self.totals.take(result.appended, result.observations)
            self._last_row = self._rows.pop(result.batch)[-1]
        elif self._refused is None:
            self._refused = result

    def run(self, rows: Iterator[Row], advance: Callable[[int], None]) -> SubmissionTotals:
        """Send the rows in batches; `advance` is told the bytes of the input that are behind.

        If it ends early, `where` says what is on record. A refusal names rows of the input.
        """
        how = self._how
        stream = self._client.stream_signals(
            on_result=self._take,
            leave_out_duplicates=not how.keep_duplicates,
            allow_leap=how.allow_leap,
        )
        with stream:
            batches = 0
            try:
                for batch in _batches(timed(self._client, rows), how.batch_size, how.skip):
                    batches += 1
                    self._rows[batches] = [row.number for row in batch]
                    request_id = f"{how.request_prefix}:{batches}" if how.request_prefix else None
                    stream.send([row.observation for row in batch], request_id=request_id)
                    advance(batch[-1].bytes_read)
                    if self._refused is not None:
                        break
            except MisuseError:
                stream.flush()  # what was sent before the bad row is settled first
                raise
        if self._refused is not None:
            raise _refusal(self._refused, self._rows[self._refused.batch])
        return self.totals

    @property
    def where(self) -> str:
        """The part on record, and how to go on."""
        totals = self.totals
        if not totals.acknowledged:
            return "0 observations were acknowledged."
        was = "was" if totals.acknowledged == 1 else "were"
        return (
            f"{counted(totals.acknowledged, 'observation')} {was} acknowledged, up to row "
            f"{self._last_row} and position {totals.position}. To go on from there: --skip "
            f"{self._last_row}"
        )


def timed(client: LedgerClient, rows: Iterator[Row]) -> Iterator[Row]:
    """Yield the rows as they are; MisuseError for one without a time where the data tell it.

    The server would refuse it with its whole batch. The ledger is asked for its clock at the first
    such row, not before.
    """
    may_be_untimed = False
    for row in rows:
        is_untimed = row.observation.observed_at is None and not row.corrects
        if is_untimed and not may_be_untimed:
            if client.get_ledger().clock == LedgerClock.DATA:
                raise MisuseError(
                    f"{row.place}: this ledger takes its time from the data: state observed_at.",
                    "State when it was observed, as 2026-03-01T10:00:00Z, or as microseconds since "
                    "1970.",
                )
            may_be_untimed = True
        yield row


def prefix_of(file: Path, *how: object) -> str:
    """Return the request prefix of a file: the same file, read and cut the same way, has the same.

    From its SHA-256, so that submitting it twice records it once. Costs one more read of it, which
    ends at a line that is too long: a file of many gigabytes without a row is not read whole.
    """
    digest = hashlib.sha256()
    with opened(file) as source:
        for line in raw_lines(source):
            digest.update(line)
    digest.update(repr(("rows/1", *how)).encode())
    return f"file:{digest.hexdigest()[:32]}"


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


def _refusal(result: BatchResult, numbers: Sequence[int]) -> ClientError:
    """Return the refusal with the rows of the input instead of the items of a batch."""
    assert result.error is not None

    def by_row(text: str) -> str:
        return _ITEM.sub(lambda match: f"row {numbers[int(match[1])]}: ", text)

    error = result.error
    together = f"Rows {numbers[0]} to {numbers[-1]} were refused together. "
    return refused(
        error.reason,
        f"{together if len(numbers) > 1 else ''}{by_row(error.message)}",
        remedy="Correct the named rows and submit these again."
        if error.violations
        else error.remedy,
        violations=[FieldViolation(by_row(v.field), v.description) for v in error.violations],
        metadata=error.metadata,
    )
