"""Observations on their way in: validated whole, encoded once, handed to the writer as one append.

This is the hot path, so a batch is checked in one loop without a call per field where it is good,
and looked at again item by item only where something was wrong, to say what and where.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Final, NamedTuple, Protocol, TypeAlias

from ledger.application.appender import Appender, Proposal
from ledger.application.commands import Caller, model_stream
from ledger.application.fleet.fleet import Fleet, ModelRecord, SignalRecord
from ledger.application.fleet.observation_details import (
    CheckedDetails,
    DetailChecks,
    StatedDetail,
    detailed,
)
from ledger.application.names import nearest
from ledger.clock import Clock
from ledger.errors import FieldViolation, LedgerError, Reason
from ledger.events import notation, values
from ledger.events.corrections import correction_of
from ledger.events.fast import observed_body, observed_body_parts, parse_observed
from ledger.events.signals import SignalObserved
from ledger.limits import (
    BATCH_OBSERVATIONS_MAX,
    DATA_AHEAD_SECONDS,
    DUPLICATES_SEARCHED,
    SAMPLE_SIZE_MAX,
)
from ledger.storage.records import (
    NONE_FOUND,
    AppendResult,
    Duplicates,
    LedgerInfo,
    NewEvent,
)
from ledger.storage.store import Store

ObservationRow: TypeAlias = tuple[str, str, str, str | float, int, int]
"""model, signal, model version or "", value, observed_at in microseconds, sample size."""

_VIOLATIONS_MAX: Final = 10
_TYPE: Final = SignalObserved.TYPE


class IntakeResult(NamedTuple):
    """The result of a batch: where it is, and the changes to its values."""

    appended: AppendResult
    rounded: int
    """Values of more than 9 decimals, recorded rounded; `vanished` ones among them became 0."""
    vanished: int


class PendingBatch:
    """A batch on its way to the writer."""

    def __init__(self, future: Future[AppendResult], rounded: int, vanished: int) -> None:
        self._future = future
        self._rounded = rounded
        self._vanished = vanished

    def add_done_callback(self, function: Callable[[object], object], /) -> None:
        """Call a function, on any thread, once the batch is durable or refused."""
        self._future.add_done_callback(function)

    def result(self, timeout: float | None = None) -> IntakeResult:
        """Wait until the batch is durable; raises the LedgerError it was refused with."""
        return IntakeResult(self._future.result(timeout), self._rounded, self._vanished)


class _Encoded(NamedTuple):
    """The events of a batch, what tells repeats of each apart, and how its values were rounded."""

    events: list[NewEvent]
    identities: list[int]
    rounded: int
    vanished: int


class ObservationIntake:
    """Takes batches of observations for one ledger."""

    def __init__(self, store: Store, info: LedgerInfo, fleet: Fleet, clock: Clock) -> None:
        self._store = store
        self._info = info
        self._clock = clock
        self._appender = Appender(store, info.origin)
        self._fleet = fleet
        self._details = DetailChecks(store.events, info.origin)

    def submit(
        self,
        caller: Caller,
        rows: Sequence[ObservationRow],
        method: str = "SubmitSignals",
        *,
        leave_out_duplicates: bool = False,
        details: Mapping[int, StatedDetail] | None = None,
    ) -> PendingBatch:
        """Check a batch now and append it soon: the submission answers once it is durable.

        All rows or none are appended, apart from duplicates that are to be left out. A
        LedgerError names every bad field (the first ten) as `observations[i].field`. `details`:
        what rows say more, by index; a row that corrects another may have UNSTATED as its time.
        """
        if not 1 <= len(rows) <= BATCH_OBSERVATIONS_MAX:
            raise _count_refused(len(rows))
        checked = None
        if details:
            try:
                checked = self._details.checked(caller, rows, details)
            except LedgerError:
                # A repeat gets its first answer: it corrected then what is corrected now.
                if (answered := self._appender.answered(caller, method)) is None:
                    raise
                return self._repeated(answered, rows)
            rows = checked.rows
        encoded = self._encode(caller, rows)
        if encoded is None:
            self._fleet.refresh()  # what is unknown here may have been registered elsewhere
            encoded = self._encode(caller, rows)
        if encoded is None:
            # A repeat gets its first answer, though the fleet may have moved on since.
            answered = self._appender.answered(caller, method)
            if answered is None:
                raise self._refusal(rows)
            return self._repeated(answered, rows)
        if checked is not None:
            encoded = _with_details(encoded, checked, caller)
        request = replace(
            self._appender.request(
                caller, method, Proposal((), stated_time=max(row[4] for row in rows))
            ),
            events=encoded.events,
            identities=encoded.identities,
            leave_out_duplicates=leave_out_duplicates,
        )
        if checked is not None:
            request = replace(request, guards=(*request.guards, *checked.guards))
        return PendingBatch(self._store.requests.submit(request), encoded.rounded, encoded.vanished)

    @staticmethod
    def _repeated(answered: AppendResult, rows: Sequence[ObservationRow]) -> PendingBatch:
        left_out = len(rows) - (answered.last_position - answered.first_position + 1)
        return _answered(answered, left_out, rows)

    def unstated_time(self) -> int | None:
        """Return the time of an observation that states none: now, or None where data tell it."""
        return self._clock.now_micros() if self._info.clock == "wall" else None

    def likely_duplicates(self, model: str, at_or_before: int) -> dict[str, int]:
        """Return by signal how many of a model's newest observations repeat another one.

        Equal in version, observed_at, source and value: the first of them is no repeat. Costs one
        indexed read of at most DUPLICATES_SEARCHED rows.
        """
        newest = self._store.events.newest_observed(
            self._info.origin,
            model_stream(model),
            at_or_before=at_or_before,
            limit=DUPLICATES_SEARCHED,
        )
        counted = Counter(
            parse_observed(event)._replace(sample_size=0)
            for event in newest
            if event.body_bytes is not None and correction_of(event) is None
        )
        repeats: Counter[str] = Counter()
        for observed, count in counted.items():
            repeats[observed.signal] += count - 1
        return repeats

    def _encode(  # noqa: C901 - the hot loop: a call per field would double its cost
        self, caller: Caller, rows: Sequence[ObservationRow]
    ) -> _Encoded | None:
        """Return the events of a batch, or None if any row is not acceptable."""
        parts = observed_body_parts(caller.actor, caller.request_id)
        latest = latest_statable(self._info, self._store)
        fleet, decimal, segment = self._fleet, values.DECIMAL.fullmatch, values.SEGMENT.fullmatch
        format_time, nearest = values.format_time, values.nearest_decimal
        models: dict[str, tuple[str, tuple[tuple[int, str], ...]]] = {}
        signals: set[str] = set()
        versions: set[str] = set()
        events: list[NewEvent] = []
        identities: list[int] = []
        append, identify = events.append, identities.append
        rounded = vanished = 0
        for model, signal, version, value, observed_at, sample_size in rows:
            known = models.get(model)
            if known is None:
                view = fleet.model(model)
                if view is None or view.model.retired:
                    return None
                known = (model_stream(model), view.served)
                models[model] = known
            if signal not in signals:
                if fleet.signal(signal) is None:
                    return None
                signals.add(signal)
            if not version:
                for since, served in known[1]:  # the one in service then, whenever this arrives
                    if since <= observed_at:
                        version = served  # noqa: PLW2901 - the server fills it in
                        break
            if version not in versions:
                if not segment(version):
                    return None
                versions.add(version)
            text = value if type(value) is str else repr(value)
            if decimal(text) is None or text == "-0":
                try:
                    text, is_rounded = nearest(text)
                except ValueError:
                    return None
                if is_rounded:
                    rounded += 1
                    vanished += text == "0"
            if not (0 <= observed_at <= latest and 1 <= sample_size <= SAMPLE_SIZE_MAX):
                return None
            body = observed_body(
                parts, version, format_time(observed_at), sample_size, signal, text
            )
            append(NewEvent(known[0], _TYPE, body, observed_at))
            identify(hash((known[0], signal, observed_at, text)))  # fast.identity, without its call
        return _Encoded(events, identities, rounded, vanished)

    def _refusal(self, rows: Sequence[ObservationRow]) -> LedgerError:
        """Return the error that names what is wrong with a refused batch, item by item."""
        reason: Reason | None = None
        violations: list[FieldViolation] = []
        latest = latest_statable(self._info, self._store)
        behind = self._store.clocks.behind(self._info.origin)
        if behind is not None:  # what lies after such a time is no fault of the source's
            latest = values.TIME_LIMIT
        for index, row in enumerate(rows):
            for found, field, problem in self._problems(row, latest):
                reason = reason or found
                violations.append(FieldViolation(f"observations[{index}].{field}", problem))
            if len(violations) >= _VIOLATIONS_MAX:
                break
        if reason is None and behind is not None:
            return behind
        if reason is None:  # the fleet changed between the two looks
            return LedgerError(
                Reason.STORE_UNAVAILABLE,
                "The fleet changed while the batch was being checked.",
                remedy="Send the same request again.",
                retry_after_seconds=0.1,
            )
        first = violations[0]
        return LedgerError(
            reason,
            f"{first.field}: {first.description}. Nothing of the batch was written.",
            remedy="Correct the named items and send the whole batch again.",
            violations=violations[:_VIOLATIONS_MAX],
            metadata={"field": first.field, "violations": str(len(violations))},
        )

    def _problems(self, row: ObservationRow, latest: int) -> list[tuple[Reason, str, str]]:
        """Return (reason, field, what is wrong and what to do) for one row."""
        model, signal, version, value, observed_at, sample_size = row
        problems: list[tuple[Reason, str, str]] = []

        def refuse(field: str, text: str, reason: Reason = Reason.FIELD_INVALID) -> None:
            problems.append((reason, field, text))

        self._name_problems(model, signal, refuse)
        self._version_problems(model, version, observed_at, refuse)
        try:
            values.nearest_decimal(value if isinstance(value, str) else repr(value))
        except ValueError as error:
            refuse("value", str(error))
        if not 0 <= observed_at < values.TIME_LIMIT:
            refuse("observed_at", "lies before 1970 or after the year 9999")
        elif observed_at > latest:
            fault = ahead_of_clock(self._info, self._store)
            refuse("observed_at", f"{fault}; set the source's clock", Reason.CLOCK_AHEAD)
        if not 1 <= sample_size <= SAMPLE_SIZE_MAX:
            refuse("sample_size", f"must be from 1 to {SAMPLE_SIZE_MAX}, not {sample_size}")
        return problems

    def _name_problems(self, model: str, signal: str, refuse: "_Refuse") -> None:
        view = self._fleet.model(model) if name_fault(model) is None else None
        if fault := name_fault(model):
            refuse("model", fault)
        elif view is None:
            meant = _meant(model, self._fleet.models())
            text = f"no model is registered under {model!r}{meant}"
            refuse("model", text, Reason.MODEL_UNKNOWN)
        elif view.model.retired:
            refuse("model", f"model {model} was retired", Reason.MODEL_RETIRED)
        if fault := name_fault(signal):
            refuse("signal", fault)
        elif self._fleet.signal(signal) is None:
            meant = _meant(signal, self._fleet.signals())
            text = f"no signal is defined under {signal!r}{meant}"
            refuse("signal", text, Reason.SIGNAL_UNKNOWN)

    def _version_problems(
        self, model: str, version: str, observed_at: int, refuse: "_Refuse"
    ) -> None:
        if version:
            if fault := name_fault(version):
                refuse("model_version", fault)
            return
        view = self._fleet.model(model) if name_fault(model) is None else None
        if view is None or view.model.retired or not 0 <= observed_at < values.TIME_LIMIT:
            return  # said of another field
        if all(observed_at < since for since, _ in view.served):
            then = f" at {notation.time(observed_at)}" if view.served else ""
            refuse(
                "model_version",
                f"is empty, and no version of {model} was in service{then} that could be filled "
                "in; name the version or record a deployment",
                Reason.MODEL_NOT_DEPLOYED,
            )


def _with_details(encoded: _Encoded, details: CheckedDetails, caller: Caller) -> _Encoded:
    """Return a batch in which those observations say more that do."""
    events, identities = detailed(encoded.events, encoded.identities, details, caller)
    rounded, vanished = encoded.rounded + details.rounded, encoded.vanished + details.vanished
    return _Encoded(events, identities, rounded, vanished)


def latest_statable(info: LedgerInfo, store: Store) -> int:
    """Return the latest time that a source may state now, in microseconds.

    `wall`: the machine's clock and the skew. `data`: years beyond that clock, since data may be
    made for the near future, but not any time at all: the ledger's own would follow for good.
    """
    ahead = info.skew_seconds if info.clock == "wall" else DATA_AHEAD_SECONDS
    return min(store.clocks.now_micros(info.origin) + ahead * values.SECOND, values.TIME_LIMIT - 1)


def ahead_of_clock(info: LedgerInfo, store: Store) -> str:
    """Return in words that a time lies beyond the latest one that may be stated."""
    latest = notation.time(latest_statable(info, store))
    return f"lies after {latest}, the latest time that this `{info.clock}` ledger takes now"


def _meant(name: str, views: Iterable[ModelRecord | SignalRecord]) -> str:
    found = nearest(name, [view.name for view in views])
    return f" (did you mean {found!r}?)" if found else ""


class _Refuse(Protocol):
    """The signature of the inner `refuse`, for readers and type checkers."""

    def __call__(self, field: str, text: str, reason: Reason = Reason.FIELD_INVALID) -> None:
        """Note one problem."""
        ...


def _answered(written: AppendResult, left_out: int, rows: Sequence[ObservationRow]) -> PendingBatch:
    """Return the answer that a request was given before."""
    future: Future[AppendResult] = Future()
    duplicates = Duplicates(left_out, left_out) if left_out else NONE_FOUND
    future.set_result(replace(written, duplicates=duplicates))
    nearest = [
        values.nearest_decimal(row[3] if isinstance(row[3], str) else repr(row[3])) for row in rows
    ]
    rounded = [text for text, is_rounded in nearest if is_rounded]
    return PendingBatch(future, len(rounded), rounded.count("0"))


def name_fault(text: str) -> str | None:
    """Return what is wrong with an identifier (a `segment` of the ledger format), or None."""
    if values.SEGMENT.fullmatch(text):
        return None
    if not text:
        return "is empty"
    if not text.isascii():
        return "holds characters outside ASCII; use a-z, 0-9, '.', '_' and '-'"
    if len(text) > 128:
        return f"is {len(text)} characters long; at most 128 fit"
    return "must begin with a-z or 0-9 and hold only a-z, 0-9, '.', '_' and '-'"


def _count_refused(count: int) -> LedgerError:
    """Return the refusal of an empty or over-full batch."""
    return LedgerError(
        Reason.FIELD_INVALID,
        f"observations: a batch holds 1 to {BATCH_OBSERVATIONS_MAX} items, not {count}.",
        remedy="Send the observations in several batches." if count else "Send at least one.",
        violations=(FieldViolation("observations", f"has {count} items"),),
        metadata={"field": "observations", "count": str(count)},
    )
