"""Steps of a life about signals: a standard one adopted, an observation corrected or refused."""

from ledger.errors import LedgerError
from ledger.events.fast import parse_observed
from ledger.events.signals import OBSERVED_TYPES, PINNED, SignalDefined, StandardPart
from ledger.events.standard_signals import standard
from tests.support import correcting
from tests.support.lives import Life
from tests.support.world import ANA, Row


def adopt_standard(life: Life) -> None:
    """Adopt a standard signal, or change its words and its owner."""
    entry = standard(life.any_of(("psi", "log-loss")))
    assert entry is not None
    words = {"signal": entry.name, "collection": "", "meaning": f"{life.chance.random()}"}
    pinned = {name: getattr(entry, name) for name in PINNED}
    life.world.ledger.definitions.define(
        ANA,
        SignalDefined.from_data(words | pinned),
        owner=life.any_of(("", "risk", "growth")),
        standard=StandardPart(name=entry.name, version=entry.version),
    )


def correct(life: Life) -> None:
    """Correct an observation, as its source does once more labels are known; often a newer one."""
    seen = [one for one in life.world.events(*OBSERVED_TYPES) if one.body_bytes is not None]
    if not seen:
        return
    target = life.any_of(seen[-life.any_of((3, 10, 1_000)) :])
    caller = life.caller(parse_observed(target).source)
    value = life.any_of((0.1, 0.5, 0.9))
    correcting.correct(
        life.world, target.position, value, caller=caller, estimated=life.happens(0.5)
    )


def observe_nonsense(life: Life) -> None:
    """Send what is refused."""
    wrong: list[Row] = [
        ("none", "loss", "", 0.5, life.now, 1),
        ("m1", "none", "", 0.5, life.now, 1),
        ("m1", "loss", "", 0.5, -1, 1),
        ("m1", "loss", "", "much", life.now, 1),
    ]
    try:
        life.world.ledger.intake.submit(life.caller("services/b"), [life.any_of(wrong)])
    except LedgerError as error:
        life.refused("observe_nonsense", error.reason)
    else:
        raise AssertionError("it was not refused")
