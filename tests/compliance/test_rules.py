"""How often each rule fired and was overruled is what the events say, counted by hand.

Method: one ledger in which two rules come and go, a person overrules one of them twice and sets
once what the rules say anyway; the table is compared with the story.
"""

from collections import Counter
from pathlib import Path

import pytest

from ledger.application.commands import Caller
from ledger.application.decisions.overrides import OverrideSpec
from ledger.compliance.facts import FactFilter
from ledger.compliance.rules import rule_records, rules_table
from ledger.compliance.tables import as_records
from ledger.events.policy_document import Action
from ledger.events.values import SECOND
from ledger.governance.rule_records import RuleRecord
from tests.support.facts import FactList, facts_of
from tests.support.world import HOUR, START, World, rule

BO = Caller("users/bo")
RULES = [
    rule("bad", "priority >= 700000"),
    rule("watch", "priority >= 200000", "INVESTIGATE"),
    rule("never", "priority > 999999", "ADJUST_DATA_COLLECTION"),
]


def overrule(world: World, caller: Caller, action: Action) -> None:
    spec = OverrideSpec("m1", action, "ds", "a person knows better", 2 * HOUR // SECOND)
    world.ledger.overrides.override(caller, spec)
    world.settle()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> FactList:
    """Return the facts: bad, overruled twice; watch; bad again, confirmed; watch by another."""
    world = World(Path(tmp_path_factory.mktemp("rules")) / "l.sqlite")
    world.begin("m1", "m2", rules=RULES)
    for hours, value in ((0, 1.4), (30, 0.7), (60, 1.4)):
        # A bucket is a day: the newest alone counts after eight of them, so days are far apart.
        world.see("m1", value, START + hours * 8 * HOUR)
        world.settle()
        if hours == 0:
            overrule(world, BO, "NO_ACTION")
            overrule(world, Caller("users/ana"), "INVESTIGATE")
        if hours == 60:
            overrule(world, BO, "SCHEDULE_RETRAINING")
    world.evaluate("m1")
    found = facts_of(world)
    world.close()
    return found


def test_a_rule_fires_where_a_decision_comes_to_be_by_it_and_repeats_are_counted_apart(
    story: FactList,
) -> None:
    found = rule_records(story, FactFilter())
    bad, watch = found["main", 1, "bad"], found["main", 1, "watch"]
    made = [fact for fact in story.items if fact.type == "decision.made.v2" and fact.data]
    assert Counter(str(fact.data["rule"]) for fact in made if fact.data) == {
        "bad": bad.decisions,
        "watch": watch.decisions,
    }
    assert (bad.fires, watch.fires) == (2, 1)
    assert bad.decisions > bad.fires
    assert found["main", 1, "never"] == RuleRecord()


def test_an_override_overrules_the_rule_that_it_was_set_over_if_it_sets_another_action(
    story: FactList,
) -> None:
    found = rule_records(story, FactFilter())
    assert found["main", 1, "bad"].by == {"users/bo": 1, "users/ana": 1}
    assert found["main", 1, "bad"].overruled == 2
    assert found["main", 1, "watch"].overruled == 0


def test_the_table_names_the_persons_and_how_often_for_each_firing(story: FactList) -> None:
    (bad,) = [
        row
        for row in as_records(rules_table(story, FactFilter()))
        if row["rule"] == "bad" and row["policy_version"] == 1
    ]
    assert bad["overruled_by"] == "users/ana 1, users/bo 1"
    assert bad["overruled_ppm"] == 1_000_000


@pytest.mark.parametrize(
    ("scope", "overruled", "rows"),
    [
        (FactFilter(actor="users/bo"), 1, 1),
        (FactFilter(model="m2"), 0, 0),
        (FactFilter(until=START), 0, 3),
        (FactFilter(model="m1"), 2, 2),
    ],
)
def test_a_scope_counts_its_own_part_and_knows_what_came_before(
    story: FactList, scope: FactFilter, overruled: int, rows: int
) -> None:
    found = rule_records(story, scope)
    assert sum(one.overruled for one in found.values()) == overruled
    assert len(found) == rows


def test_an_erased_override_overrules_nothing(story: FactList) -> None:
    bare = tuple(
        fact._replace(data=None) if fact.type == "decision.overridden.v2" else fact
        for fact in story.items
    )
    found = rule_records(FactList(story.origin, bare), FactFilter())
    assert sum(one.overruled for one in found.values()) == 0
