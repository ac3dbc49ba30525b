"""An observation reaches its answer, and a head its signature, through few files.

Goal: a reader who follows either through the code opens no more files than are allowed here; the
budgets only fall, but for a promise that is new. Method: one submit to a server in this process,
and one turn of the signer after an append, both once everything is warm, while a profiler sees
every call on every thread.

Counted is each file of the product, generated code aside, whose code ran until the writer's thread
gave its answer and the client, or the signer's turn, had its own. A file *leads on* if its code
called code of another one; the others are asked and answer, so a reader may take their word for it.
`-rP` shows the files.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from ledger.application.commands import Caller
from ledger.application.signing.schedule import Signer
from ledger.application.workers import Task, TaskInterval, Workers
from ledger.events.values import SECOND
from ledger.service import Service
from tests.support.hooks import on_writer
from tests.support.served import START, Fleets, observation, serving_fleet
from tools.quiet import quiet

ROOT = Path(__file__).resolve().parents[2]
GENERATED = ROOT / "ledger" / "v1"
WARMING = 3


class Followed:
    """What ran between the beginning and the end of `watched`."""

    def __init__(self) -> None:
        self.ran: set[str] = set()
        self.leading_on: set[str] = set()
        self._names: dict[str, str | None] = {}
        self._answered: set[int] = set()
        self._is_watching = False

    @contextmanager
    def installed(self) -> Iterator[None]:
        """See every thread that begins within, and this one."""
        threading.setprofile(self._see)
        sys.setprofile(self._see)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Count what runs within."""
        self._is_watching = True
        yield
        self._is_watching = False

    def within(self, ran: int, leading_on: int) -> bool:
        """Return whether the budgets hold; says what was counted, for the message of a failure."""
        for name in sorted(self.ran):
            sys.stdout.write(f"{'leads on' if name in self.leading_on else 'answers '} {name}\n")
        sys.stdout.write(f"{len(self.ran)} ran, {len(self.leading_on)} lead on\n")
        return 0 < len(self.ran) <= ran and 0 < len(self.leading_on) <= leading_on

    def _see(self, frame: FrameType, event: str, _: object) -> None:
        if not self._is_watching:
            return
        thread = threading.current_thread()
        if thread.name.startswith("worker") or thread.ident in self._answered:
            return  # what follows the log, and what the writer does after it has answered
        if event == "return" and thread.name == "ledger-writer":
            if frame.f_code.co_name == "set_result":
                self._answered.add(thread.ident or 0)
        elif event == "call" and (name := self._file(frame)) is not None:
            self.ran.add(name)
            caller = frame.f_back
            while caller is not None and self._file(caller) is None:
                caller = caller.f_back
            if caller is not None and (by := self._file(caller)) is not None and by != name:
                self.leading_on.add(by)

    def _file(self, frame: FrameType) -> str | None:
        """Return the product's file that a frame belongs to, None for other code."""
        name = frame.f_code.co_filename
        if name not in self._names:
            path = Path(name)
            is_ours = any(path.is_relative_to(ROOT / room) for room in ("ledger", "projections"))
            self._names[name] = (
                str(path.relative_to(ROOT))
                if is_ours and not path.is_relative_to(GENERATED)
                else None
            )
        return self._names[name]


class Turns(Workers):
    """Workers without a thread: the test takes the turns."""

    def recur(self, name: str, do: Callable[[], TaskInterval]) -> Task:
        """Keep what is to be done."""
        self.take = do
        return Task(self, name, do)


@pytest.fixture
def followed() -> Iterator[Followed]:
    """A profiler that is installed before the first thread of a server."""
    followed = Followed()
    with followed.installed():
        yield followed


def test_an_observation_reaches_its_answer_through_few_files(
    followed: Followed, fleets: Fleets, tmp_path: Path
) -> None:
    with serving_fleet(fleets, tmp_path, "fares") as served:
        for at in range(WARMING):
            served.submit(observation(seconds=at), request_id=f"warming-{at}")
        with followed.watched():
            served.submit(observation(seconds=WARMING), request_id="followed")
    assert followed.within(ran=48, leading_on=21)


def test_a_head_is_signed_through_few_files(
    followed: Followed, fleets: Fleets, tmp_path: Path
) -> None:
    with serving_fleet(fleets, tmp_path, "fares"):
        pass
    with Service(quiet(str(tmp_path / "ledger.sqlite"), service__evaluate=False)) as service:
        ledger, turns = service.ledger(), Turns(service.clock)
        checkpoints = ledger.attestation.checkpoints
        signer = Signer(service.store, ledger.info, checkpoints, service.clock, seconds=1.0)
        signer.start(turns)
        for at in range(WARMING + 1):
            row = ("fares", "log-loss", "", "0.5", START * SECOND + at, 1)
            ledger.intake.submit(Caller("services/monitor"), [row]).result()
            if at < WARMING:
                turns.take()
        on_writer(service.store, lambda _: None)  # the append has been told of, too
        with followed.watched():
            turns.take()
        signed = checkpoints.newest()
        assert signed is not None
        assert signed.size == service.store.events.head(ledger.info.origin).position
    assert followed.within(ran=36, leading_on=21)
