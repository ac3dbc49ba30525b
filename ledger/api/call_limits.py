"""How much each address and each actor may send, and how much of it stays open at once.

Two bounds, in this order. An address is known from the first byte: its calls and bytes are counted
on the event loop, before a message is parsed or a thread is taken. An actor is known to a ledger
once a message has named the ledger: its calls, bytes and observations are counted then, before
anything in the message is looked at. A refused request takes nothing from its actor, so a caller
that comes back when it was told to is let in; and no actor takes from another.
"""

import ipaddress
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from google.protobuf.message import Message

from ledger.api.authentication.credential import address_of
from ledger.api.concurrency_limit import ConcurrencyLimit
from ledger.api.rates import LimitedCallers, RatedCallers, Rates, too_fast
from ledger.clock import Clock, monotonic_nanos
from ledger.errors import LedgerError, Reason
from ledger.limit_settings import LimitSettings
from ledger.limits import BATCH_OBSERVATIONS_MAX, RATED_CALLERS_MAX, ActorLimits

if TYPE_CHECKING:
    from ledger.api.calls import ServedCall

LimitsOf = Callable[[str, str], ActorLimits | None]
"""The limits that a ledger (its origin) states for an actor; None where it states none."""

_Place = tuple[str, str, str]
"""Ledger, actor, and what is open: such as watches."""

_PLACES_SECONDS: Final = 5.0  # until a place may be free again: nothing says when
_WAITS: Final = "waiting reads"


class AddressLimits:
    """Bounds what comes from one address, of any actor. Belongs to the event loop."""

    def __init__(self, clock: Clock, settings: LimitSettings, limited: LimitedCallers) -> None:
        self._clock = clock
        self._connections_max = settings.address_connections
        self._rates = Rates(
            settings.address_calls_per_second, _bytes(settings.address_megabytes_per_second), 1
        )
        self._limited = limited
        self._callers = RatedCallers()
        self._open: dict[str, dict[str, int]] = {}

    def enter(self, peer: str) -> None:
        """Count a call that begins; LIMIT_REACHED where its connection is one too many.

        `leave` follows in any case.
        """
        address = limited_address(peer)
        peers = self._open.get(address)
        if peers is None:
            peers = self._open[address] = {}
        count = peers[peer] = peers.get(peer, 0) + 1
        if count == 1 and len(peers) > self._connections_max:
            self._limited.refused("connections", address=address)
            raise _no_place(
                f"{self._connections_max} connections of the address {address} have open calls, "
                "as many as one address may have.",
                self._connections_max,
                address=address,
            )

    def received(self, peer: str, size: int) -> None:
        """Count a message before it is parsed: a call, or one more request of a stream."""
        address = limited_address(peer)
        wanted, now = (1, size, 0), monotonic_nanos(self._clock)
        refused = self._callers.take(address, self._rates, wanted, now)
        if refused is not None:
            self._limited.refused(refused.what, address=address)
            subject = f"The address {address}"
            raise too_fast(subject, self._rates, refused, address=address)

    def leave(self, peer: str) -> None:
        """Note that a call has ended that had entered, let in or not."""
        address = limited_address(peer)
        peers = self._open[address]
        if peers[peer] > 1:
            peers[peer] -= 1
        elif len(peers) > 1:
            del peers[peer]
        else:
            del self._open[address]


class QuotaLimits(NamedTuple):
    """The limits of an actor, all of them stated: the server's own, or a ledger's over them."""

    rates: Rates
    streams: int
    waits: int

    @classmethod
    def of(cls, settings: LimitSettings) -> Self:
        """Return the server's own."""
        rates = Rates(
            settings.calls_per_second,
            _bytes(settings.megabytes_per_second),
            settings.observations_per_second,
        )
        return cls(rates, settings.streams, settings.waits)

    def over(self, stated: ActorLimits | None) -> "QuotaLimits":
        """Return these with what a ledger states in their place."""
        if stated is None:
            return self
        rates = (stated.calls_per_second, stated.bytes_per_second, stated.observations_per_second)
        return QuotaLimits(
            Rates(*map(_or, rates, self.rates)),
            _or(stated.streams, self.streams),
            _or(stated.waits, self.waits),
        )


def _or(stated: int | None, usual: int) -> int:
    return usual if stated is None else stated


class ActorQuotas:
    """Bounds what one actor sends to one ledger and keeps open there. Safe between threads."""

    def __init__(
        self,
        clock: Clock,
        limited: LimitedCallers,
        kinds: Mapping[str, ConcurrencyLimit],
        usual: "QuotaLimits",
        limits_of: LimitsOf,
    ) -> None:
        """`kinds`: for each method that stays open, what it is one of."""
        self._clock = clock
        self._limited = limited
        self._kinds = kinds
        self._usual = usual
        self._limits_of = limits_of
        self._lock = threading.Lock()
        self._callers = RatedCallers()
        self._open: Counter[tuple[str, str, str]] = Counter()

    def charge(self, call: "ServedCall", origin: str, size: int, observations: int = 0) -> None:
        """Count a request to a ledger; LIMIT_REACHED where its actor has sent too much.

        The first one of a call that stays open takes a place too, which `leave` gives back.
        """
        actor = call.actor
        limits = self._usual.over(self._limits_of(origin, actor))
        wanted = (1, size, min(observations, BATCH_OBSERVATIONS_MAX))
        sender, kind = (origin, actor), self._kinds.get(call.method)
        if kind is not None and call.place is None:
            self._enter(call, (origin, actor, kind.what), min(limits.streams, kind.actor_share))
        with self._lock:
            refused = self._callers.take(sender, limits.rates, wanted, monotonic_nanos(self._clock))
        if refused is not None:
            self._limited.refused(refused.what, ledger=origin, actor=actor)
            raise too_fast(actor, limits.rates, refused, ledger=origin, actor=actor)
        call.sender = sender

    def leave(self, call: "ServedCall") -> None:
        """Give back the place of a call that is over."""
        if call.method not in self._kinds:
            return
        with self._lock:
            if call.place is not None:
                self._give_back(call.place)

    @contextmanager
    def waiting(self, call: "ServedCall") -> Iterator[None]:
        """Hold a place for a read that waits; LIMIT_REACHED where its actor has too many."""
        if call.sender is None:  # a call of another contract than ours
            yield
            return
        limits = self._usual.over(self._limits_of(*call.sender))
        place = *call.sender, _WAITS
        with self._lock:
            is_free = self._take(place, limits.waits)
        if not is_free:
            raise self._refusal(place, limits.waits)
        try:
            yield
        finally:
            with self._lock:
                self._give_back(place)

    def _enter(self, call: "ServedCall", place: _Place, limit: int) -> None:
        """Take a place for a call unless it is over: then its `leave` may have been, too."""
        with self._lock:
            if call.is_over:
                return
            if is_free := self._take(place, limit):
                call.place = place
        if not is_free:
            raise self._refusal(place, limit)

    def _take(self, place: _Place, limit: int) -> bool:
        if self._open[place] >= limit:
            return False
        self._open[place] += 1
        return True

    def _give_back(self, place: _Place) -> None:
        self._open[place] -= 1
        if not self._open[place]:
            del self._open[place]

    def _refusal(self, place: _Place, limit: int) -> LedgerError:
        origin, actor, what = place
        self._limited.refused(what, ledger=origin, actor=actor)
        return _no_place(
            f"{actor} has as many {what} on {origin} as it may: {limit}.",
            limit,
            what=what,
            ledger=origin,
            actor=actor,
        )


class CallLimits:
    """The limits of addresses and of actors, as a call meets them from its beginning to its end."""

    def __init__(
        self,
        clock: Clock,
        settings: LimitSettings,
        kinds: Mapping[str, ConcurrencyLimit],
        *,
        origin_of: Callable[[str], str],
        limits_of: LimitsOf,
    ) -> None:
        """`kinds`: for each method that stays open, what it is one of.

        `origin_of` returns the served ledger that counts what names a ledger, or none: names that
        a client makes up must not have buckets of their own.
        """
        limited = LimitedCallers(clock)
        self._origin_of = origin_of
        self._addresses = AddressLimits(clock, settings, limited)
        self._actors = ActorQuotas(clock, limited, kinds, QuotaLimits.of(settings), limits_of)
        self.waiting = self._actors.waiting
        self.look = limited.look

    def enter(self, call: "ServedCall") -> None:
        """Count a call that begins; on the event loop. `leave` follows in any case."""
        self._addresses.enter(call.peer)

    def received(self, call: "ServedCall", size: int) -> None:
        """Count a message before it is parsed; on the event loop."""
        self._addresses.received(call.peer, size)

    def charge(self, call: "ServedCall", ledger: str, request: Message, size: int) -> None:
        """Count a request for its actor, with the ledger that it names; on any thread."""
        observations = len(getattr(request, "observations", ()))
        self._actors.charge(call, self._origin_of(ledger), size, observations)

    def leave(self, call: "ServedCall") -> None:
        """Note that a call is over; on the event loop."""
        self._addresses.leave(call.peer)
        self._actors.leave(call)


def _bytes(megabytes: float) -> int:
    return round(megabytes * 1_000_000)


@lru_cache(maxsize=RATED_CALLERS_MAX)
def limited_address(peer: str) -> str:
    """Return the address that a connection is counted for: of IPv6 the network of a host, a /64."""
    host = address_of(peer)
    try:
        parsed = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(parsed, ipaddress.IPv4Address) or parsed.is_loopback:
        return host
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


def _no_place(message: str, limit: int, **metadata: str) -> LedgerError:
    return LedgerError(
        Reason.LIMIT_REACHED,
        message,
        remedy="End one of them, or try again later.",
        retry_after_seconds=_PLACES_SECONDS,
        metadata={"limit": str(limit), **metadata},
    )
