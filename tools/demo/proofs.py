"""The demo's proofs, each asked of the running server or of its file, shown, and judged."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from ledger.chain.link import Link
from ledger.client import LedgerClient
from ledger.operations.served_ledger import link_of
from tools.demo.evidence import (
    BUNDLE,
    KEY_FILE,
    broken_position,
    copy_database,
    edit_row,
    keep,
    stored_links,
    verify,
)
from tools.demo.screen import Screen, counted
from tools.demo.server import LEDGER_FILE
from tools.demo.year import LOSS_SIGNAL, ORIGIN, Payoff, Year, version_name


@dataclass(frozen=True, slots=True)
class Kept:
    """All events as the server handed them out, and the checkpoint that covers them."""

    links: list[Link]
    note: str
    vkey: str


def replay_everything(screen: Screen, client: LedgerClient) -> bool:
    """Recompute every decision and plan from the events it names; all must be identical."""
    screen.section("Every decision and every plan, recomputed from the events it names")
    identical = divergent = not_replayable = 0
    with screen.busy("recomputing"):
        for report in client.replay_range(kinds=["DECISION", "PLAN"]):
            progress = report.progress
            identical, divergent = progress.identical, progress.divergent
            not_replayable = progress.not_replayable
    screen.say(
        f"{identical:,} of {counted(identical + divergent + not_replayable, 'replay', 'replays')} "
        f"identical, {divergent} divergent, {not_replayable} not replayable."
    )
    return identical > 0 and divergent == not_replayable == 0


def verify_everything(screen: Screen, client: LedgerClient) -> Kept:
    """Fetch all events and check them against a checkpoint signed now."""
    screen.section("The whole chain, against a checkpoint signed now")
    checkpoint = client.get_checkpoint()
    links = [link_of(event) for event in client.list_events(until_position=checkpoint.size)]
    found = verify(links, origin=ORIGIN, note=checkpoint.note, vkey=checkpoint.verifier_key)
    screen.verified(found, ORIGIN)
    return Kept(links, checkpoint.note, checkpoint.verifier_key)


def edit_a_copy(
    screen: Screen, directory: Path, kept: Kept, year: Year, payoff: Payoff | None
) -> bool:
    """Make a bad week look better in a copy of the file; return whether it was located."""
    screen.section("One row of the database file edited, in a copy")
    with tempfile.TemporaryDirectory(prefix="edited-", dir=directory) as folder:
        copy = Path(folder) / LEDGER_FILE
        copy_database(directory / LEDGER_FILE, copy)
        edit = edit_row(copy, loss_position(kept.links, year, payoff))
        links = stored_links(copy, ORIGIN)
        position, why = broken_position(links, origin=ORIGIN, note=kept.note, vkey=kept.vkey)
    screen.edit(edit, position, why)
    return position == edit.position


def loss_position(links: list[Link], year: Year, payoff: Payoff | None) -> int:
    """Return where the loss is that led to the best retraining, or else the newest loss."""
    wanted = b""
    stream = None
    if payoff is not None:
        stream = f"models/{year.fleet.models[payoff.model].name}"
        serving = year.outcome.in_service[payoff.model, payoff.week]
        wanted = b'"model_version":"%s"' % version_name(serving).encode()
        known = next(done.position for done in year.history if done.week == payoff.week)
    else:
        known = len(links)
    signal = b'"signal":"%s"' % LOSS_SIGNAL.encode()
    return next(
        link.position
        for link in reversed(links[:known])
        if stream in {None, link.stream}
        and link.type == "signal.observed.v1"
        and link.body is not None
        and signal in link.body
        and wanted in link.body
    )


def keep_evidence(screen: Screen, client: LedgerClient, directory: Path, kept: Kept) -> None:
    """Keep what others need to check the ledger, and say where it is."""
    screen.section("Kept for those who want to check")
    with screen.busy("exporting"):
        keep(client, directory, kept.vkey)
    for name in (LEDGER_FILE, BUNDLE, KEY_FILE):
        screen.say(f"  {directory / name}")
