"""Each table says what the events say, for the model, the person and the period asked for.

Method: the golden ledger, whose every event is known, and small lists of facts made by hand.
"""

import pytest

from ledger.compliance.facts import FactFilter
from ledger.compliance.policies import Policies, changed
from ledger.compliance.report import TABLES, tables_of
from ledger.compliance.tables import Cell, Kind, Table, as_records, table_of
from ledger.events.decisions import DECISION_TYPES
from ledger.events.facts import Fact, UnreadableBodyError, fact_of
from ledger.events.policies import DRAFTED_TYPES, PolicyActivatedV1
from ledger.events.shadows import PolicyShadowed, ShadowEnded
from ledger.events.values import parse_time
from tests.support.facts import FactList

HOUR = 3_600_000_000
DAY = 24 * HOUR
START = parse_time("2026-01-01T00:00:00.000000Z")


def rows(source: FactList, name: str, scope: FactFilter | None = None) -> list[dict[str, Cell]]:
    return as_records(TABLES[name](source, scope or FactFilter()))


def test_a_decision_is_told_with_its_rule_in_the_policys_own_words(golden: FactList) -> None:
    row = rows(golden, "decisions")[0]
    assert row["model"] == "fraud-eu"
    assert row["action"] == "SCHEDULE_RETRAINING"
    assert row["actor"] == "system/evaluator"
    assert row["reason"] == "Rule sustained-loss: Sustained loss on a model that matters."


def test_every_table_of_the_golden_ledger_has_what_was_recorded(golden: FactList) -> None:
    counts = {table.name: len(table.rows) for table in tables_of(golden, FactFilter())}
    assert counts == {
        "decisions": 2,
        "overrides": 2,
        "escalations": 1,
        "tasks": 1,
        "plan_places": 2,
        "deployments": 1,
        "approvals": 1,
        "reviews": 2,
        "rules": 2,
        "shadows": 1,
        "policy_changes": 5,
        "silent_sources": 1,
        "spending": 1,
        "jobs": 1,
        "gates": 1,
        "forecasts": 0,  # its job lapsed
        "job_approvals": 1,
        "refused_requests": 4,
        "ledger_conduct": 8,
        "believed_callers": 1,
        "accesses": 1,
        "ordinary_reads": 3,
        "drills": 1,
    }


def test_a_shadow_is_told_with_its_end_and_all_that_came_of_it(golden: FactList) -> None:
    [shadow] = rows(golden, "shadows")
    assert (shadow["policy"], shadow["version"], shadow["scope"]) == (
        "default", 2, "the whole ledger",
    )  # fmt: skip
    assert (shadow["ground"], shadow["ended_because"]) == ("asked", "It was compared.")
    assert [shadow[name] for name in ("scores", "decisions", "plans", "promoted_at")] == [
        1, 2, 1, None,
    ]  # fmt: skip


def test_a_shadow_whose_end_was_erased_is_told_as_ended(golden: FactList) -> None:
    erased = tuple(
        fact._replace(actor="", data=None) if fact.type == ShadowEnded.TYPE else fact
        for fact in golden.items
    )
    [shadow] = rows(FactList(golden.origin, erased), "shadows")
    assert shadow["ended_at"] is not None
    assert shadow["ground"] is None


def test_an_activation_that_starts_from_a_shadow_is_told_with_it(golden: FactList) -> None:
    [begun] = [one for one in golden.items if one.type == PolicyShadowed.TYPE]
    activated = begun._replace(
        position=900, type=PolicyActivatedV1.TYPE, causation_position=begun.position
    )
    [shadow] = rows(FactList(golden.origin, (*golden.items, activated)), "shadows")
    assert shadow["promoted_at"] == 900
    for scope in (FactFilter(model="other"), FactFilter(actor="users/ada")):
        assert len(rows(golden, "shadows", scope)) == 1, "it ran for all models, and ada began it"
    assert not rows(golden, "shadows", FactFilter(actor="users/other"))


def test_refusals_are_told_with_the_host_where_it_is_on_record(golden: FactList) -> None:
    assert [(one["actor"], one["address"]) for one in rows(golden, "refused_requests")] == [
        ("services/monitor-7", None),
        ("services/monitor-7", "192.0.2.7"),
        ("unknown", "2001:db8::7"),
        ("unknown", "others"),
    ]


def test_authors_and_reasons_of_policy_changes_are_told(golden: FactList) -> None:
    drafted, activated, *_ = rows(golden, "policy_changes")
    assert (drafted["author"], drafted["changed"]) == ("users/ada", "first version")
    assert (activated["scope"], activated["rationale"]) == (
        "the whole ledger",
        "Reviewed on 1 February.",
    )


@pytest.mark.parametrize(
    ("scope", "name", "count"),
    [
        (FactFilter(model="fraud-eu"), "decisions", 2),
        (FactFilter(model="other"), "decisions", 0),
        (FactFilter(actor="system/evaluator"), "decisions", 1),
        (FactFilter(actor="users/ada"), "decisions", 1),
        (FactFilter(actor="users/ada"), "overrides", 2),
        (FactFilter(since=parse_time("2026-03-02T00:00:00.000000Z")), "overrides", 1),
        (FactFilter(until=parse_time("2026-03-01T00:00:00.000000Z")), "decisions", 0),
        (FactFilter(model="other"), "plan_places", 0),
        (FactFilter(model="other"), "deployments", 0),
        (FactFilter(actor="users/auditor"), "ledger_conduct", 3),
        (FactFilter(actor="services/monitor-7"), "refused_requests", 2),
        (FactFilter(actor="services/other"), "refused_requests", 0),
        (FactFilter(actor="users/auditor"), "accesses", 1),
        (FactFilter(actor="users/ada"), "accesses", 0),
        (FactFilter(actor="services/dashboard"), "ordinary_reads", 2),
        (FactFilter(until=parse_time("2026-03-01T00:00:00.000000Z")), "ordinary_reads", 0),
    ],
)
def test_a_scope_leaves_out_all_else(
    golden: FactList, scope: FactFilter, name: str, count: int
) -> None:
    assert len(rows(golden, name, scope)) == count


def test_an_erased_decision_is_counted_and_not_guessed(golden: FactList) -> None:
    erased = FactList(
        golden.origin,
        tuple(
            fact._replace(actor="", data=None) if fact.type in DECISION_TYPES else fact
            for fact in golden.items
        ),
    )
    table = TABLES["decisions"](erased, FactFilter(model="fraud-eu"))
    assert (table.rows, table.note) == ((), "Decisions without a readable body: 2.")


def test_every_erased_body_leaves_every_table_standing(golden: FactList) -> None:
    bare = tuple(fact._replace(actor="", data=None) for fact in golden.items)
    tables = tables_of(FactList(golden.origin, bare), FactFilter())
    told_by_headers = {"ledger_conduct", "believed_callers"}
    assert {len(table.rows) for table in tables if table.name not in told_by_headers} == {0}


def observed(position: int, hours: int, signal: str = "loss", model: str = "m") -> Fact:
    at = START + hours * HOUR
    data = {
        "model_version": "1",
        "observed_at": f"2026-01-{1 + hours // 24:02d}T{hours % 24:02d}:00:00.000000Z",
        "sample_size": 1,
        "signal": signal,
        "value": "1",
    }
    return Fact(position, f"models/{model}", "signal.observed.v1", at, "services/a", data)


def quiet(facts: list[Fact], scope: FactFilter | None = None) -> list[dict[str, Cell]]:
    return rows(FactList("o", tuple(facts)), "silent_sources", scope)


def test_the_longest_gap_is_named_with_when_it_began() -> None:
    (row,) = quiet([observed(1, 0), observed(2, 1), observed(3, 9), observed(4, 12)])
    assert row["longest_gap_seconds"] == 8 * 3_600
    assert row["longest_gap_after"] == "2026-01-01T01:00:00.000000Z"
    assert row["observations"] == 4


def test_a_late_observation_closes_no_gap() -> None:
    (row,) = quiet([observed(1, 0), observed(2, 10), observed(3, 5)])
    assert row["longest_gap_seconds"] == 10 * 3_600
    assert row["last_observed_at"] == "2026-01-01T10:00:00.000000Z"


def test_silence_is_judged_by_the_policy_in_force(golden: FactList) -> None:
    (row,) = rows(golden, "silent_sources")
    assert row["state"] == "retired"
    before = parse_time("2026-06-01T00:00:00.000000Z")
    (row,) = rows(golden, "silent_sources", FactFilter(until=before))
    assert row["state"] == "silent"
    assert row["silent_seconds"] == (before - parse_time("2026-03-01T00:00:00.000000Z")) // 10**6
    shortly = parse_time("2026-03-01T00:10:00.000000Z")
    (row,) = rows(golden, "silent_sources", FactFilter(until=shortly))
    assert row["state"] == "reporting"


def test_a_signal_that_the_policy_weighs_and_no_source_reports_is_never_heard(
    golden: FactList,
) -> None:
    facts = tuple(fact for fact in golden.items if fact.type != "signal.observed.v1")
    until = parse_time("2026-03-02T00:00:00.000000Z")
    (row,) = rows(FactList("o", facts), "silent_sources", FactFilter(until=until))
    assert (row["signal"], row["state"], row["last_observed_at"]) == ("log-loss", "never", None)


def test_documents_are_compared_by_the_names_of_their_parts() -> None:
    before = {"rules": [{"id": "a", "when": "x"}, {"id": "b", "when": "y"}], "n": 1}
    after = {"rules": [{"id": "b", "when": "z"}, {"id": "a", "when": "x"}], "n": 1, "m": None}
    assert list(changed(before, after)) == ["m: nothing → null", 'rules.b.when: "y" → "z"']


def test_the_most_specific_scope_counts_and_of_equal_ones_the_newest() -> None:
    policies = Policies()
    scopes: list[dict[str, object]] = [
        {"kind": "model", "model": "m"},
        {"kind": "labels", "labels": {"team": "red", "tier": "high"}},
        {"kind": "labels", "labels": {"team": "red"}},
        {"kind": "labels", "labels": {"tier": "high"}},
        {"kind": "ledger"},
        {"kind": "ledger"},
    ]
    for at, scope in enumerate(scopes, 1):
        named = {"policy": "p", "version": at, "digest": "", "rationale": "", "document": {}}
        policies.apply(Fact(2 * at, "policies/p", DRAFTED_TYPES[0], 0, "users/a", named))
        active = named | {"scope": scope}
        policies.apply(Fact(2 * at + 1, "policies/p", PolicyActivatedV1.TYPE, 0, "users/a", active))
    labels = {"team": "red", "tier": "high"}
    for model, stated, version in (
        ("m", labels, 1),
        ("n", labels, 2),
        ("n", {"team": "red"}, 3),
        ("n", {"tier": "high"}, 4),
        ("n", {}, 6),
    ):
        found = policies.in_force(model, stated)
        assert found is not None
        assert found.version == version


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"data":1}', b'{"a":1.5}'])
def test_a_body_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableBodyError, match="position 7"):
        fact_of(7, "ledger", "a.b.v1", 0, body)


def test_an_erased_body_is_a_fact_without_data() -> None:
    fact = fact_of(7, "ledger", "a.b.v1", 0, None)
    assert fact.data is None
    assert fact.record["position"] == 7


def test_a_record_is_told_by_the_names_of_columns_and_must_have_them_all() -> None:
    described: tuple[tuple[str, Kind, str], ...] = (
        ("at", "time", "a time, as events write it"),
        ("priority_ppm", "share", "a share that events name without its unit"),
    )
    record = {"priority": 5, "at": "2026-01-01T00:00:00.000000Z", "else": 1}
    assert table_of("t", "T", described, [record, (START, None)]).rows == (
        (START, 5),
        (START, None),
    )
    with pytest.raises(KeyError, match="at"):
        table_of("t", "T", described, [{"priority": 5}])


def test_columns_of_all_tables_are_described(golden: FactList) -> None:
    tables: list[Table] = tables_of(golden, FactFilter())
    assert all(column.meaning for table in tables for column in table.columns)
    assert [table.name for table in tables] == list(TABLES)
