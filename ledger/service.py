"""The composition root: opens the store, builds a ledger's rooms, starts and stops what runs.

Nothing else constructs these parts. Everything that needs time or randomness is given one Clock.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

from ledger.application.accesses import Accesses
from ledger.application.accounts import Accounts, ServiceParts
from ledger.application.attestation import AttestationOptions
from ledger.application.clocks import ClockWatch
from ledger.application.creation import refuse_impossible
from ledger.application.evaluation.follower import Follower
from ledger.application.exports.exports import Exports
from ledger.application.exports.jobs import exports_folder
from ledger.application.ledger import LedgerApplication
from ledger.application.operators import NamedActors
from ledger.application.reads import Reading
from ledger.application.refusals import Refusals, RefusedCall
from ledger.application.signing.evidence import evidence_folder
from ledger.application.signing.published_checkpoints import (
    read_policy,
    read_published,
    refuse_missing,
    refuse_rows_ahead,
)
from ledger.application.workers import Workers
from ledger.clock import Clock, SystemClock
from ledger.errors import MISREAD, LedgerError, Reason, invalid_field, misread
from ledger.events.authority import AdministratorNamed
from ledger.limits import (
    EXPORTS_MAX,
    LEAP_SECONDS_DEFAULT,
    SKEW_SECONDS_DEFAULT,
    ActorLimits,
)
from ledger.notifications.outbox import LedgerNotifications, Outbox
from ledger.notifications.store import notifications_file
from ledger.setting_sections import Settings
from ledger.storage import open_store
from ledger.storage.database import sqlite_file
from ledger.storage.recorders import LedgerApplicationRecorder
from ledger.storage.records import CreateLedger, Guard, LedgerInfo
from ledger.storage.rehash import RehashProcess
from ledger.storage.store import Store
from ledger.storage.vault import chosen_vault
from projections.host import ProjectionHost
from projections.sqlite_file import projections_url
from projections.store import ProjectionStore


@dataclass(slots=True)
class _Running:
    ledger: LedgerApplication
    host: ProjectionHost
    follower: Follower
    exports: Exports | None
    notifications: LedgerNotifications
    ending: ExitStack
    """The parts begun for the ledger, stopped in the opposite order."""


class Service:
    """All ledgers of one database, served. Use as a context manager, or call start and stop."""

    def __init__(
        self, settings: Settings, clock: Clock | None = None, *, create: bool = True
    ) -> None:
        """`create`: begin the database where there is nothing yet."""
        self.clock = clock or SystemClock()
        self._settings = settings
        file = sqlite_file(settings.storage.database)
        self._database = settings.storage.database if file is None else str(file)  # under one name
        self.limit_settings = settings.limits
        self.operators = NamedActors(settings.operators.actors, settings.erasure.actors)
        self._lock = threading.RLock()
        self._running: dict[str, _Running] = {}
        self._is_started = self._is_stopped = False
        self._origins: frozenset[str] = frozenset()
        self._first = ""  # the ledger that was created first: the one that is meant unless named
        self._export_slots = threading.BoundedSemaphore(EXPORTS_MAX)
        self._on_signing_failure: list[Callable[[], None]] = []
        self._on_news: list[Callable[[], None]] = []
        witnesses = read_policy(settings.checkpoints.policy)
        self._published = read_published(settings.checkpoints.published)
        rows = settings.storage.projections or projections_url(self._database)
        self.store: Store = open_store(
            self._database,
            self.clock,
            create=create,
            companions=[
                file
                for file in (sqlite_file(rows), notifications_file(self._database))
                if file is not None
            ],
            vault=chosen_vault(settings.keys),
        )
        self._workers = Workers(self.clock)
        self.store.commits.subscribe(self._tell_news)
        self._refusals = Refusals(
            self.store, self.clock, settings.refusals.seconds, lambda: self._origins
        )
        self._accesses = Accesses(self.store, self.clock, settings.access, lambda: self._origins)
        self._clock_watch = ClockWatch(self.store, self.clock, lambda: self._origins)
        self._rehash = RehashProcess(self._database)
        self._attestation = AttestationOptions(
            settings.checkpoints,
            settings.seals,
            policy=witnesses,
            evidence=evidence_folder(settings.checkpoints.evidence, self._database),
            process=self._rehash,
        )
        try:
            self.outbox = Outbox(settings.notifications, self._database, self.store, self.clock)
            self._projection_store = ProjectionStore(rows)
        except BaseException:
            self.store.close()
            raise

    def __enter__(self) -> Self:
        """Start what runs beside the API."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it and close the store."""
        self.stop()

    def start(self) -> None:
        """Open every ledger of the database and begin to follow it; all of them or none.

        LEDGER_BEHIND where a published checkpoint, or one that a witness has cosigned, covers
        more than there is here, CHAIN_BROKEN where it has another root: then none is served.
        """
        with self._lock:
            self._is_started = True
            try:
                infos = self.store.ledgers.all()
                refuse_missing(self._published, [info.origin for info in infos])
                for info in infos:
                    self.store.keys.check_head(info.origin, self.store.events.head(info.origin))
                ledgers = [self._ledger(info) for info in infos]
                for info in infos if self.store.had_log else ():
                    rows, head = (
                        self._projection_store,
                        self.store.events.head(info.origin).position,
                    )
                    refuse_rows_ahead(info.origin, head, rows.reached(info.origin), rows.place)
                for ledger in ledgers:
                    ledger.attestation.refuse_if_contradicted(self._published)
                for ledger in ledgers:
                    self._open(ledger.info, ledger)
                self._clock_watch.start(self._workers)
                self._refusals.start(self._workers)
                self._accesses.start(self._workers)
            except BaseException as error:
                self.stop()
                if isinstance(error, MISREAD):
                    raise misread(error) from error
                raise

    def stop(self) -> None:
        """Stop the followers, give leases back, finish queued appends and close files."""
        with self._lock:
            self._is_started, self._is_stopped = False, True
            self._refusals.stop()
            self._accesses.stop()
            self._clock_watch.stop()
            for running in self._running.values():
                running.ending.close()
            self._running.clear()
            self._workers.stop()
            self._rehash.close()
            self.store.close()
            self._projection_store.close()
            self.outbox.close()

    @property
    def append_failure(self) -> LedgerError | None:
        """Why nothing can be appended at the moment, or any more; None while all is well."""
        return self.store.writer_failure or self._clock_watch.failure

    def on_append_change(self, callback: Callable[[], None]) -> None:
        """Call back, on any thread, whenever `append_failure` comes or goes."""
        self.store.on_change(callback)
        self._clock_watch.on_change(callback)

    def on_news(self, callback: Callable[[], None]) -> None:
        """Call back, on any thread, when a head, a read model or a checkpoint has moved."""
        self._on_news.append(callback)

    def on_signing_failure(self, callback: Callable[[], None]) -> None:
        """Call back, on any thread, when nothing is signed any more for one of the ledgers."""
        with self._lock:
            self._on_signing_failure.append(callback)
            has_failed = bool(self.signing_failures())
        if has_failed:
            callback()

    def signing_failures(self) -> dict[str, LedgerError]:
        """Return why nothing is signed any more, by ledger; empty while all is well."""
        with self._lock:
            found = {
                name: each.ledger.attestation.checkpoints.failure
                for name, each in self._running.items()
            }
        return {name: failure for name, failure in found.items() if failure is not None}

    def _tell_news(self, *_: object) -> None:
        for callback in self._on_news:
            callback()

    def _signing_failed(self) -> None:
        for callback in tuple(self._on_signing_failure):
            callback()
        self._tell_news()

    def create_ledger(  # noqa: PLR0913 - one keyword for each field of a request
        self,
        origin: str,
        *,
        clock: str,
        skew_seconds: int = SKEW_SECONDS_DEFAULT,
        unit_of_cost: str = "",
        leap_seconds: int | None = None,
        actor: str,
        request_id: str | None = None,
        digest: bytes = b"",
        administrator: AdministratorNamed | None = None,
        guards: Sequence[Guard] | None = None,
    ) -> LedgerInfo:
        """Begin a ledger with its own chain, order and key; ALREADY_EXISTS if the name is taken.

        `guards`: those of a caller, on the first ledger, by which it was judged; see CreateLedger.
        Where `leap_seconds` is None a `data` ledger gets the default, a `wall` ledger no bound.
        """
        if leap_seconds is None:
            leap_seconds = LEAP_SECONDS_DEFAULT if clock == "data" else 0
        new = CreateLedger(
            origin, clock, skew_seconds, actor, request_id, digest, unit_of_cost, leap_seconds,
            administrator, guards,
        )  # fmt: skip
        refuse_impossible(new, {info.origin for info in self.store.ledgers.all()})
        info = self.store.ledgers.create(new)
        with self._lock:
            if self._is_started:
                self._open(info)
        return info

    def origin_of(self, named: str) -> str:
        """Return the served ledger of a name; the first one where none has it, "" before any."""
        return named if named in self._running else self._first

    def limits_of(self, origin: str, actor: str) -> ActorLimits | None:
        """Return the limits that a served ledger states for an actor; None where it states none."""
        running = self._running.get(origin)
        return None if running is None else running.ledger.authority.limits_of(actor)

    def count_refusal(self, origin: str, call: RefusedCall) -> None:
        """Count that a request was refused, on the ledger that it named or else the first one."""
        self._refusals.count(origin or self._first, call)

    def note_read(self, origin: str, reading: Reading) -> None:
        """Note what a call was answered, on the ledger that it named or else the first one."""
        self._accesses.note(origin or self._first, reading)

    def ledgers(self) -> list[LedgerInfo]:
        """Return every ledger, in order of creation."""
        return self.store.ledgers.all()

    def ledger(self, origin: str = "") -> LedgerApplication:
        """Return one ledger by origin, or the first one; LEDGER_UNKNOWN if there is none."""
        return self._get(origin).ledger

    def projections(self, origin: str = "") -> ProjectionHost:
        """Return a ledger's read models."""
        return self._get(origin).host

    def exports(self, origin: str = "") -> Exports:
        """Return a ledger's exports; FIELD_INVALID where it was not said where they are kept."""
        exports = self._get(origin).exports
        if exports is None:
            raise invalid_field(
                "exports.folder",
                "is not set, and a PostgreSQL database has no folder of its own",
                remedy="Set LEDGER_EXPORTS__FOLDER for the server and start it again.",
            )
        return exports

    def notifications(self, origin: str = "") -> LedgerNotifications:
        """Return the subscribers of a ledger."""
        return self._get(origin).notifications

    def follower(self, origin: str = "") -> Follower:
        """Return what feeds a ledger's evaluator and projections."""
        return self._get(origin).follower

    def _get(self, origin: str) -> _Running:
        with self._lock:
            if self._is_stopped:
                raise LedgerError(
                    Reason.DRAINING,
                    "The service has stopped.",
                    remedy="Send the request again when the server is back.",
                    retry_after_seconds=1.0,
                )
            if not origin:
                origin = self._default()
            running = self._running.get(origin)
            if running is None:
                running = self._open(self.store.ledgers.named(origin))
            return running

    def _default(self) -> str:
        """Return the ledger of clients that name none: the first one, however many follow."""
        default = self._first or next((info.origin for info in self.store.ledgers.all()), "")
        if not default:
            raise LedgerError(
                Reason.LEDGER_UNKNOWN,
                "This server has no ledger yet.",
                remedy="Create one with CreateLedger or `decision-ledger ledger create`.",
            )
        return default

    def _ledger(self, info: LedgerInfo) -> LedgerApplication:
        recorder = LedgerApplicationRecorder(self.store, info.origin, str)
        return LedgerApplication(
            self.store,
            info,
            recorder,
            self.clock,
            attestation=self._attestation,
        )

    def _open(self, info: LedgerInfo, ledger: LedgerApplication | None = None) -> _Running:
        """Begin what follows a ledger; where that fails nothing of it is left."""
        known = self._running.get(info.origin)
        if known is not None:
            return known
        ledger = ledger or self._ledger(info)
        with ExitStack() as begun:
            running = self._begin(ledger, begun)
            running.ending = begun.pop_all()
        self._running[info.origin] = running
        if not self._first:  # another server may have created one before
            self._first = self.store.ledgers.all()[0].origin
        if info.vkey:  # a bare recorder's ledger holds its application's events only
            self._origins |= {info.origin}
        return running

    def _begin(self, ledger: LedgerApplication, begun: ExitStack) -> _Running:
        """Begin the parts for one ledger; each says to `begun` how it ends, before it begins."""
        origin, is_projecting = ledger.info.origin, self._settings.service.project
        host = ProjectionHost(self.store.events, origin, self._projection_store, clock=self.clock)
        begun.callback(host.close)
        host.start(catch_up=is_projecting)
        evaluator = ledger.evaluator() if self._settings.service.evaluate else None
        # Both pass over what they have folded already, so the one further behind decides.
        positions = [host.position] if is_projecting else []
        positions += [evaluator.position] if evaluator else []
        after = min(positions, default=ledger.log.head().position)
        consumers = [ledger.authority.consume]
        consumers += [host.consume] if is_projecting else []
        follower = Follower(self.store, origin, ledger.fleet, evaluator, consumers, after=after)
        host.on_wait = follower.hurry
        host.on_news = self._tell_news
        ledger.erasure.on_erased(lambda position, _: host.purge(position))
        exports = None
        folder = exports_folder(self._settings.exports.folder, self._database)
        if folder is not None:
            exports = Exports(ledger, self.store, folder, self.clock, self._export_slots)
            ledger.erasure.on_erased(exports.remove_containing)
        ledger.attestation.checkpoints.on_failure(self._signing_failed)
        ledger.attestation.checkpoints.on_signed(self._tell_news)
        ledger.authority.on_change(self._tell_news)
        if ledger.info.vkey and (seconds := self._settings.accounts.seconds):
            seals, every = ledger.attestation.seals, self._settings.seals.seconds
            parts = ServiceParts(
                evaluator, ledger.governor, seals, every, self._refusals, self._accesses
            )
            accounts = Accounts(self.store, ledger.info, parts, self.clock, seconds)
            begun.callback(accounts.stop)  # once nothing is done by itself any more
            accounts.start(self._workers)
        begun.callback(ledger.stop)
        ledger.governor.start(self._workers)
        begun.callback(follower.stop)
        begun.callback(ledger.attestation.stop)
        ledger.attestation.start(self._workers)
        follower.start(self._workers)
        if exports is not None:
            begun.callback(exports.stop)
            exports.start()
        notifications = self.outbox.of(ledger)
        begun.callback(notifications.stop)
        notifications.start(self._workers)
        return _Running(ledger, host, follower, exports, notifications, begun)
