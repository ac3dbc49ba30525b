"""Everything that many versions of policies have decided is replayed, and comes out the same.

Method: people bring versions into force in each of the ways that there are, or run them in shadow.
Under each of them models are observed, scored, decided and planned for; then all of it is replayed.
"""

from collections import Counter, defaultdict
from pathlib import Path

from ledger.application.decisions.replay import REPLAYED_TYPES
from ledger.application.policies.steps import ChosenVersion
from ledger.events.policies import PolicyActivatedV2, ScopePart
from ledger.events.values import SECOND
from tests.governance.test_approvals import check_audit
from tests.support.governed import governed
from tests.support.staffed import APPROVER, AUTHOR, KIM, PAT, SAM, Governed
from tests.support.world import DAY, EVERYWHERE, HOUR, defined, policy_text, rule, signal_rule

HIGH = ScopePart(kind="labels", model=None, labels={"tier": "high"})
BETA = ScopePart(kind="model", model="beta", labels={})
MODELS = ("alpha", "beta", "gamma")
VALUES = (0.5, 1.1, 0.7, 1.3, 0.42)
VERSIONS = 20
DECIDING = "score.computed", "decision.made"
PLANNING = *DECIDING, "plan.made"
SHADOWING = "shadow.scored", "shadow.decided"
WAYS = {
    "direct": PLANNING,
    "approved": DECIDING,
    "rolled back": PLANNING,
    "put back": PLANNING,
    "scheduled": PLANNING,
    "emergency": PLANNING,
    "ratified": PLANNING,
    "reverted": PLANNING,
    "shadow": SHADOWING,
    "shadow of the ledger": (*SHADOWING, "shadow.planned"),
}
"""The ways in which a version decides, and what it leaves that is replayed."""


class Story:
    """A ledger that is told on, version by version; `ways` has how each came to decide."""

    def __init__(self, path: Path) -> None:
        self.world = world = Governed(path, clock="wall").staff()
        self.ways = defaultdict[str, set[ChosenVersion]](set)
        self._turns = self._texts = 0
        for signal in ("loss", "drift"):
            world.ledger.definitions.define(AUTHOR, defined(signal))
        world.register("alpha", labels={"tier": "high"})
        for model in MODELS:
            if model != "alpha":
                world.register(model)
            world.deploy(model, "v1")

    def live(self, way: str, version: ChosenVersion) -> ChosenVersion:
        """Observe, score, decide and plan for a day, while a version decides."""
        self.ways[way].add(version)
        self._turns += 1
        self.world.clock.advance(7 * HOUR)
        now = self.world.clock.now_micros()
        for number, model in enumerate(MODELS, self._turns):
            value = VALUES[number % len(VALUES)]
            self.world.see(model, value, now)
            self.world.see(model, 1.4 - value, now, signal="drift")
        self.world.settle()
        self.world.evaluate(*MODELS)
        self.world.plan(2_000_000)
        return version

    def text(self, *, is_governed: bool = True, procedure: str = "rules/2") -> str:
        """Return a policy that is none of those before."""
        self._texts += 1
        number = self._texts
        drift = signal_rule("drift", weight=0.5, critical=1.4 + number / 100)
        plain = policy_text(
            signals=[signal_rule(critical=1 + number / 50), *([drift] if number % 2 else [])],
            rules=[
                rule("bad", f"priority >= {400_000 + 1_000 * number}", hold="priority >= 200000"),
                rule("look", f"priority >= {100_000 + 1_000 * number}", "INVESTIGATE"),
            ],
            cool_down=("0h", "12h")[number % 2],
            max_priority_step=(1, 0.2)[number % 3 == 2],
            procedure=procedure,
        )
        approvals = [{"role": APPROVER, "count": 1}]
        return governed(plain, approvals=approvals, ratify_within="1d") if is_governed else plain

    def ungoverned(self, procedure: str) -> None:
        """Bring a version into force before any asked for approvals."""
        version = self.world.drafted(self.text(is_governed=False, procedure=procedure))
        self.world.enforce(version)
        self.live("direct", version)

    def approved(self, scope: ScopePart = EVERYWHERE) -> ChosenVersion:
        """Bring a version into force by an approval."""
        version = self._submitted(scope)
        self.world.enforce(version, scope)
        return self.live("approved", version)

    def _submitted(self, scope: ScopePart = EVERYWHERE) -> ChosenVersion:
        version = self.world.drafted(self.text())
        self.world.submit(version, scope)
        self.world.approve(version, PAT)
        return version

    def rolled_back(self) -> None:
        """Bring a version into force, and put back the one before it."""
        good, bad = self.approved(), self.approved()
        self.world.roll_back(good)
        self.ways["rolled back"].add(bad)
        self.live("put back", good)

    def scheduled(self) -> None:
        """Have a version come into force at a stated time."""
        version = self._submitted()
        at = self.world.clock.now_micros() + 9 * HOUR
        named = version.policy, version.number
        self.world.ledger.commands.schedule_policy(PAT, *named, "", EVERYWHERE, "then", at)
        self.world.clock.advance(9 * HOUR)
        self.world.govern()
        self.live("scheduled", version)

    def emergency(self, *, is_ratified: bool) -> None:
        """Bring a version into force in an emergency, which is ratified or ends."""
        before = self.approved()
        version = self.world.drafted(self.text())
        named = version.policy, version.number
        self.world.ledger.commands.activate_in_emergency(KIM, *named, "", EVERYWHERE, "a fire")
        self.live("emergency", version)
        if is_ratified:
            self.world.approve(version, SAM)
            self.world.ledger.policy_steps.ratify(PAT, version)
            self.live("ratified", version)
        self.world.clock.advance(DAY)
        self.world.govern()
        if not is_ratified:
            self.live("reverted", before)

    def shadow(self, scope: ScopePart) -> None:
        """Run a version in shadow, until its time is over."""
        version = self.world.drafted(self.text(), "dark")
        begin, days = self.world.ledger.shadowing.begin, 2 * DAY // SECOND
        begin(AUTHOR, version.policy, version.number, "", scope, days, "to compare")
        self.live("shadow of the ledger" if scope is EVERYWHERE else "shadow", version)
        self.world.clock.advance(2 * DAY)
        self.world.govern()

    def tell(self) -> None:
        """Tell all of it."""
        self.ungoverned("rules/1")
        self.ungoverned("rules/2")
        for scope in (EVERYWHERE, HIGH, BETA):
            self.approved(scope)
            self.shadow(scope)
        for _ in range(2):
            self.approved(EVERYWHERE)
            self.rolled_back()
            self.scheduled()
        self.emergency(is_ratified=True)
        self.rolled_back()
        self.emergency(is_ratified=False)
        self.approved()
        self.shadow(EVERYWHERE)


def replayed(world: Governed) -> Counter[tuple[str, ChosenVersion]]:
    """Replay everything; return how much of each noun each version has to its name."""
    found = Counter[tuple[str, ChosenVersion]]()
    events = {event.position: event for event in world.events(*REPLAYED_TYPES)}
    results = world.replay()
    assert [one.position for one in results] == list(events)
    for one in results:
        event = events[one.position]
        assert (one.outcome, one.differences) == ("IDENTICAL", ()), (event, one)
        score = event.data.get("score_position")
        data = event.data if score is None else events[score].data
        found[
            event.type.rpartition(".")[0], ChosenVersion(data["policy"], data["policy_version"])
        ] += 1
    return found


def test_every_decision_across_twenty_versions_of_policies_replays_identically(
    tmp_path: Path,
) -> None:
    story = Story(tmp_path / "ledger.db")
    story.tell()
    world = story.world
    bases = {one.basis for one in world.all_of(PolicyActivatedV2)}
    assert bases == {"approved", "roll_back", "scheduled", "emergency", "reverted"}
    world.restart()
    found = replayed(world)
    assert len({version for noun, version in found if noun == "decision.made"}) >= VERSIONS
    assert story.ways.keys() == WAYS.keys()
    for way, nouns in WAYS.items():
        assert found.keys() >= {(noun, one) for noun in nouns for one in story.ways[way]}, way
    check_audit(world, "authority.rights")
    world.close()
