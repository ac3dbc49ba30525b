"""Plans in the making: each on a thread of its own, with its progress, until they are forgotten.

They are in the memory of this server alone. A plan is recorded as by a plain call, under the
request id of its caller, in one append: where the server ends before, there is nothing, and the
same request makes it; where it ends after, the same request gets what was recorded.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, TypeAlias

import structlog

from ledger.application.commands import Caller
from ledger.application.planning.progress import PlanProgress
from ledger.clock import Clock, uuid7
from ledger.errors import LedgerError, Reason, request_id_reused
from ledger.events.plans import PlanMade
from ledger.limits import PLANS_KEPT_MAX, PLANS_MAX

_log: Final = structlog.get_logger("ledger.plans")

MakePlan: TypeAlias = Callable[[Caller, PlanProgress], "RecordedPlan"]


class RecordedPlan(NamedTuple):
    """A plan by its id; its body is read from the ledger, where it may be erased."""

    plan: str
    is_repeated: bool
    """Whether an earlier request under the same id recorded it."""


@dataclass(slots=True)
class PlanInTheMaking:
    """A plan in the making, or how that ended."""

    name: str
    caller: Caller
    progress: PlanProgress = field(default_factory=PlanProgress)
    ended: threading.Event = field(default_factory=threading.Event)
    recorded: RecordedPlan | None = None
    failure: Exception | None = None

    def result(self) -> RecordedPlan | None:
        """Return the plan once it is there; raises what it failed with."""
        if self.failure is not None:
            raise self.failure
        return self.recorded


class PlanOperations:
    """The plans in the making of one ledger. Safe between threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._operations: dict[str, PlanInTheMaking] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._is_stopped = False

    def begin(self, caller: Caller, make: MakePlan) -> PlanInTheMaking:
        """Begin a plan; a repeat of a request that is known here gets what that one began.

        LIMIT_REACHED while as many as may be are being made, REQUEST_ID_REUSED for another request
        under the same id.
        """
        with self._lock:
            if (known := self._asked_before(caller)) is not None:
                return known
            if self._is_stopped or len(self._threads) >= PLANS_MAX:
                raise _one_too_many()
            one = PlanInTheMaking(uuid7(self._clock), replace(caller, deadline_monotonic=None))
            self._operations[one.name] = one
            self._forget_oldest()
            thread = threading.Thread(
                target=self._work, args=(one, make), name=f"plan-{one.name}", daemon=True
            )
            self._threads[one.name] = thread
            thread.start()
            return one

    def get(self, name: str) -> PlanInTheMaking:
        """Return a plan in the making; PLAN_UNKNOWN where this server knows none of that name."""
        with self._lock:
            found = self._operations.get(name)
        if found is None:
            raise LedgerError(
                Reason.PLAN_UNKNOWN,
                f"No plan is being made here under {name!r}; a server that was started again has "
                "forgotten it.",
                remedy="Send the request again, under the same id: it never makes a second plan.",
                metadata={"operation": name},
            )
        return found

    def stop(self) -> None:
        """Break off what is being made, and wait until it has ended."""
        with self._lock:
            self._is_stopped = True
            threads = list(self._threads.values())
            for one in self._operations.values():
                one.progress.is_unwanted = True
        for thread in threads:
            thread.join()

    def _asked_before(self, caller: Caller) -> PlanInTheMaking | None:
        if caller.request_id is None:
            return None
        for one in self._operations.values():
            if (one.caller.actor, one.caller.request_id) != (caller.actor, caller.request_id):
                continue
            if one.caller.digest != caller.digest:
                raise request_id_reused(caller.request_id, caller.actor, PlanMade.METHOD)
            if one.failure is None:  # else it is tried again
                return one
        return None

    def _forget_oldest(self) -> None:
        over = [name for name in self._operations if name not in self._threads]
        for name in over[: max(0, len(self._operations) - PLANS_KEPT_MAX)]:
            del self._operations[name]

    def _work(self, one: PlanInTheMaking, make: MakePlan) -> None:
        """Make a plan on a thread of its own; keep how that ended."""
        try:
            one.recorded = make(one.caller, one.progress)
        except LedgerError as error:
            one.failure = error
        except Exception as error:  # noqa: BLE001 - after any error the operation must say that it failed
            _log.exception("plan.failed", operation=one.name)
            one.failure = error
        finally:
            with self._lock:
                self._threads.pop(one.name, None)
            one.ended.set()


def _one_too_many() -> LedgerError:
    return LedgerError(
        Reason.LIMIT_REACHED,
        f"{PLANS_MAX} plans of this ledger are being made, as many as may be at once.",
        remedy="Try again when one of them is done.",
        retry_after_seconds=5.0,
        metadata={"limit": str(PLANS_MAX)},
    )
