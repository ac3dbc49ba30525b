"""Commands against a real server: what they do, what they print, how they end.

Method: the command line runs in this process against a prepared server on loopback; results are
read back through other commands and as JSON, refusals by exit code and reason.
"""

import sqlite3
from pathlib import Path

import pytest

from ledger.cli.exits import Exit
from ledger.v1.ledger_pb2 import LEDGER_CLOCK_WALL
from tests.cli.conftest import Run, csv_of
from tests.support.clocks import ManualClock
from tests.support.forger import drop_triggers
from tests.support.served import ORIGIN, POLICY, START, Served, serving
from tools.quiet import quiet
from tools.shapes import SHAPES, fields_of

DEFINED = (
    *("--kind", "drift", "--unit", "share", "--direction", "higher-is-worse"),
    *("--meaning", "How far it is off."),
)


def test_rows_are_submitted_counted_and_shown(cli: Run) -> None:
    ran = cli("signal", "submit", "--batch-size", "7", "--json", stdin=csv_of(20))
    assert ran.json["acknowledged"] == 40
    states = cli("signal", "states", "fares", "--json").json["states"]
    assert {state["signal"]: state["observations"] for state in states} == {
        "log-loss": 20,
        "input-stability": 20,
    }
    assert "0.59" in cli("signal", "states").out


def test_a_file_submitted_twice_under_one_prefix_is_recorded_once(
    cli: Run, served: Served, tmp_path: Path
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(csv_of(20))
    heads = set()
    for _ in range(2):
        ran = cli("signal", "submit", str(file), "--request-prefix", "night-7")
        assert ran.code == 0
        heads.add(served.head())
    assert ran.out.startswith("Nothing new. 40 observations are already on record")
    assert len(heads) == 1


def test_a_bad_row_ends_the_run_with_what_is_on_record(cli: Run, served: Served) -> None:
    head = served.head()
    text = csv_of(3) + "fares,log-loss,none,,\n"
    ran = cli("signal", "submit", "--batch-size", "2", stdin=text)
    assert ran.code == Exit.MISUSE
    assert "row 7: value 'none' is not a number" in ran.err
    assert "6 observations were acknowledged, up to row 6" in ran.err
    assert "--skip 6" in ran.err
    assert served.head() == head + 6


def test_a_refused_row_is_named_by_its_number(cli: Run) -> None:
    text = csv_of(3) + f"nowhere,log-loss,0.5,{START * 1_000_000},\n"
    ran = cli("signal", "submit", "--batch-size", "4", stdin=text)
    assert ran.code == Exit.REFUSED
    assert "Rows 5 to 7 were refused together. row 7: model: no model" in ran.err
    alone = cli(
        "signal",
        "submit",
        stdin="model,signal,value,observed_at\nnone,log-loss,1,2026-03-01T00:00:00Z\n",
    )
    assert "row 1: model: no model" in alone.err
    assert "together" not in alone.err
    assert "[MODEL_UNKNOWN]" in ran.err
    assert "4 observations were acknowledged" in ran.err


def test_rows_on_record_can_be_skipped(cli: Run, served: Served) -> None:
    head = served.head()
    assert cli("signal", "submit", "--skip", "4", stdin=csv_of(3)).code == 0
    assert served.head() == head + 2


def test_one_observation_is_submitted_by_flags(cli: Run) -> None:
    flags = ("--model", "fares", "--signal", "log-loss", "--value", "0.50")
    at = ("--observed-at", "2026-01-05T00:00:00Z", "--sample-size", "3")
    assert cli("signal", "submit", *flags, *at).code == 0
    (event,) = cli("log", "tail", "-n", "1", "--json").lines
    assert event["body"]["data"]["value"] == "0.5"
    assert event["body"]["data"]["sample_size"] == 3
    assert cli("signal", "submit", "--model", "fares").code == Exit.MISUSE


def test_models_are_registered_changed_deployed_and_retired(cli: Run) -> None:
    described = ("--owner", "stays", "--unit-value", "0.000005", "--cost", "9")
    assert cli("model", "register", "rooms", *described, "--label", "region=west").code == 0
    assert cli("model", "update", "rooms", "--tier", "high").code == 0
    assert cli("model", "update", "rooms").code == Exit.MISUSE
    deployed = ("--baseline-loss", "0.40", "--trained-through", "2026-01-01")
    at = ("--in-service-at", "2026-01-02")
    assert cli("model", "deploy", "rooms", "v1", *deployed, *at).code == 0
    shown = cli("model", "show", "rooms", "--json").json
    assert (shown["tier"], shown["labels"], shown["version_in_service"]) == (
        "high",
        {"region": "west"},
        "v1",
    )
    assert shown["deployments"][0]["baseline_loss"] == "0.4"
    assert "region=west" in cli("model", "show", "rooms").out
    assert cli("model", "retire", "rooms", "--reason", "gone").code == 0
    assert "rooms" not in cli("model", "list").out
    assert "rooms" in cli("model", "list", "--retired").out
    assert cli("model", "show", "nowhere").code == Exit.REFUSED


def test_a_policy_goes_from_history_to_force(cli: Run, tmp_path: Path) -> None:
    assert cli("policy", "init").code == Exit.REFUSED  # there is nothing to fit it to
    assert cli("signal", "submit", stdin=csv_of(40)).code == 0
    file = tmp_path / "policy.yaml"
    assert cli("policy", "init", "--output", str(file)).code == 0
    assert cli("policy", "init", "--output", str(file)).code == Exit.MISUSE
    assert cli("policy", "lint", str(file)).code == 0
    drafted = cli("policy", "draft", "fitted", str(file), "--rationale", "first", "--json").json
    digest = drafted["version"]["digest"]
    activated = ("--rationale", "go", "--model", "fares", "--digest", digest)
    assert cli("policy", "activate", "fitted", "1", *activated).code == 0
    assert (
        cli("policy", "activate", "fitted", "1", *activated, "--label", "a=b").code == Exit.MISUSE
    )
    assert "in force for model fares" in cli("policy", "show", "fitted").out
    assert {row["policy"] for row in cli("policy", "list", "--json").json["policies"]} == {
        "default",
        "fitted",
    }


def test_lint_says_where_a_document_is_wrong(cli: Run) -> None:
    ran = cli("policy", "lint", "-", stdin=POLICY.replace("kernel:", "kernle:", 1))
    assert ran.code == Exit.REFUSED
    assert ran.out.startswith("-:")
    assert "error" in ran.out
    ran = cli("policy", "lint", "-", stdin=POLICY.replace("format: policy/1\n", "", 1))
    assert ": is missing. Write it: The form of this document" in ran.out
    assert cli("policy", "lint", "nowhere.yaml").code == Exit.MISUSE


def test_the_fleet_is_ranked_now_and_as_it_was(told: Run, served: Served) -> None:
    now = told("priorities", "--json").json
    assert now["priorities"][0]["model"] == "fares"
    assert now["position"] == served.head()
    then = told("priorities", "--as-of", "10", "--json").json
    assert then["position"] == 10
    moved = told("priorities", "--since", "yesterday").out
    assert "WHY" in moved
    assert "fares" in told("priorities", "--since", "10", "--limit", "1").out
    assert told("priorities", "--by", "nonsense").code == Exit.MISUSE
    assert told("priorities", "--as-of", "nonsense").code == Exit.MISUSE


def test_a_relative_since_counts_back_from_as_of(told: Run) -> None:
    """Observations are a day apart and end on day 39; what moved by day 20 began on day 13."""
    week = told("priorities", "--since", "2026-01-14", "--as-of", "2026-01-21", "--json").json
    assert told("priorities", "--since", "7d", "--as-of", "2026-01-21", "--json").json == week
    moment = told("log", "tail", "--json", "-n", "1").lines[0]["recorded_at"]
    head = told("ledger", "show", "--json").json["head_position"]
    then = told("priorities", "--since", "1d", "--as-of", str(head - 4), "--json")
    assert then.code == 0
    assert then.json["position"] == head - 4
    assert then.json["recorded_at"] <= moment


def test_why_is_one_paragraph(told: Run) -> None:
    text = told("why", "fares").out.strip()
    assert text.startswith("fares ranks 1 of 2")
    assert "\n" not in text
    assert told("why", "fares", "--json").json["rank"] == 1
    assert told("why", "nowhere").code == Exit.REFUSED


def test_a_plan_is_made_and_shown(told: Run) -> None:
    made = told("plan", "make", "--budget", "75.50", "--plan", "week-1", "--json").json
    assert made["plan"]["budget_micros"] == 75_500_000
    assert "fares" in told("plan", "show", "week-1").out
    assert "week-1" in told("plan", "list").out
    assert "fares" in told("priorities", "--by", "plan").out
    assert told("plan", "make", "--budget", "a lot").code == Exit.MISUSE


def test_schedules_of_plans_are_listed_as_they_are_and_were(told: Run) -> None:
    assert told("plan", "schedules").out == "No plan is made by the clock.\n"
    words = ("plan", "schedule", "default", "--every", "7d")
    done = told(*words, "--budget", "75.50", "--budget-cap", "300", "--json").json
    said = told(*words, "--budget", "80").out
    assert "the first has 80.00, each period of the policy adds 80.00 to what is left" in said
    _, row = told("plan", "schedules").out.splitlines()
    assert row.split()[:4] == ["default", "7d", "80.00", "80.00"]
    assert "T00:00:00Z" in row
    assert " none " in row
    as_of = str(done["position"])
    [before] = told("plan", "schedules", "--as-of", as_of, "--json").json["plan_schedules"]
    assert (before["budget_micros"], before["budget_cap_micros"]) == (75_500_000, 300_000_000)
    refused = told(*words, "--budget", "80", "--recipe", "nowhere")
    assert (refused.code, "RECIPE_UNKNOWN" in refused.err) == (Exit.REFUSED, True)
    refused = told(*words, "--budget", "12", "--budget-cap", "3")
    assert refused.code == Exit.MISUSE
    assert "--budget: 12 is more than --budget-cap, 3. Raise the cap" in refused.err
    told("plan", "schedule", "default", "--end")
    assert told("plan", "schedules", "--json").json == {"plan_schedules": []}


def test_decisions_are_listed_shown_explained_and_replayed(told: Run) -> None:
    listed = told("decision", "list", "--json").json["decisions"]
    assert {row["model"] for row in listed} == {"fares", "hotels"}
    name = next(row["name"] for row in listed if row["model"] == "fares")
    position = name.rpartition("/")[2]
    for form in (name, f"fares/{position}", position, "fares"):
        assert told("decision", "show", form, "--json").json["decision"]["name"] == name
    assert "log-loss" in told("decision", "show", "fares").out
    assert "Rules:" in told("decision", "explain", "fares").out
    explained = told("decision", "explain", position, "--json").json
    assert explained == told("decision", "explain", name, "--json").json
    assert told("decision", "explain", str(int(position) - 1)).code == 0  # the score before it
    for other, said in (
        ("1", "holds ledger.created.v1, no decision"),
        (str(int(position) - 1), "holds score.computed.v1, no decision"),
        ("0", "no position 0"),
        ("999999", "[POSITION_BEYOND_HEAD]"),
    ):
        ran = told("decision", "show", other)
        assert (ran.code, said in ran.err) == (1, True), ran.err
    assert told("decision", "replay", name).out == f"{name}: IDENTICAL\n"
    assert told("decision", "replay", position, "--json").json["outcome"] == "IDENTICAL"
    assert "4 identical, 0 divergent" in told("decision", "replay", "--all").out
    assert told("decision", "replay", "--all", "--json").lines[-1]["progress"]["identical"] == 4
    assert told("decision", "replay").code == Exit.MISUSE
    assert told("decision", "show", "nowhere").code == Exit.REFUSED


def test_a_historical_evaluation_states_its_time(told: Run) -> None:
    done = told("evaluate", "fares", "--at", "2026-01-20", "--json").json
    assert done["evaluated"][0]["decision"]["horizon"]["historical"] is True


def test_events_are_printed(told: Run, served: Served) -> None:
    lines = told("log", "tail", "-n", "5").out.splitlines()
    assert len(lines) == 5
    assert lines[-1].startswith(str(served.head()))
    made = told("log", "tail", "--after", "0", "--type", "ledger.created.v1", "--json").lines
    assert [event["position"] for event in made] == [1]


def test_the_log_verifies_against_server_file_and_kept_checkpoint(
    told: Run, run: Run, served: Served, folder: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    assert told("log", "checkpoint", "--output", str(kept)).code == 0
    key = told("vkey").out.strip()
    assert told("signal", "submit", stdin=csv_of(2)).code == 0
    ran = told("verify", "--vkey", key, "--checkpoint", str(kept), "--json")
    assert ran.code == 0
    assert ran.json["size"] == served.head()
    database = str(folder / "ledger.sqlite")
    assert run("verify", database, "--checkpoint", str(kept)).code == 0
    assert run("verify", database, "--vkey", "nonsense").code == Exit.MISUSE
    assert run("verify", str(tmp_path / "none")).code == Exit.MISUSE


def test_projections_are_shown_and_rebuilt(told: Run) -> None:
    assert [row["projection"] for row in told("projection", "status", "--json").json["projections"]]
    assert "EQUAL" in told("projection", "rebuild", "priorities").out
    assert told("projection", "rebuild", "nowhere").code == Exit.REFUSED
    assert "signals" in told("projection", "status").out


def test_ledgers_and_signals_are_made_and_listed(cli: Run) -> None:
    defined = ("--kind", "data-quality", "--unit", "share", "--direction", "higher-is-worse")
    assert cli("signal", "define", "missing", *defined, "--meaning", "Missing rows.").code == 0
    assert "missing" in cli("signal", "list").out
    assert cli("signal", "define", "x", *defined[:-1], "sideways", "--meaning", "x").code == 1
    assert cli("ledger", "create", "ledger.example/two", "--clock", "wall").code == 0
    assert cli("ledger", "create", "ledger.example/two").code == Exit.REFUSED
    assert len(cli("ledger", "list", "--json").json["ledgers"]) == 2
    assert ORIGIN in cli("ledger", "show").out, "the default ledger stays the default"
    assert ORIGIN in cli("ledger", "show", "--ledger", ORIGIN).out


@pytest.mark.parametrize("line", ["verify", "log publish out --db", "audit run"])
def test_a_file_that_is_not_there_is_misuse(run: Run, tmp_path: Path, line: str) -> None:
    missing = tmp_path / "none.sqlite"
    ran = run(*line.split(), str(missing))
    assert ran.code == Exit.MISUSE
    assert f"here is no file {missing}. Check the path" in ran.err


def test_a_key_that_is_none_is_blamed_on_the_argument_that_it_was(run: Run) -> None:
    ran = run("key", "pin", "x")
    assert ran.code == Exit.MISUSE
    assert ran.err.startswith("VKEY: a key is written name+id+base64. ")


def test_an_audit_of_an_address_says_how_a_server_is_named(run: Run) -> None:
    ran = run("audit", "run", "127.0.0.1:1")
    assert ran.code == Exit.MISUSE
    assert (
        "There is no file 127.0.0.1:1. Check the path; a server is named with --server" in ran.err
    )


def test_an_edited_event_is_found_by_doctor_verify_and_replay(
    told: Run, run: Run, folder: Path
) -> None:
    database = folder / "ledger.sqlite"
    drop_triggers(database)
    with sqlite3.connect(database) as connection:
        position = connection.execute(
            "SELECT min(position) FROM events WHERE type = 'signal.observed.v1'"
        ).fetchone()[0]
        connection.execute(
            'UPDATE events SET body = replace(body, \'"value":"0\', \'"value":"7\') '
            "WHERE position = ?",
            (position,),
        )
        changed = connection.execute("SELECT changes()").fetchone()[0]
    connection.close()
    assert changed == 1
    for ran in (
        told("verify"),
        run("verify", str(database)),
        run("doctor", "--db", str(database)),
    ):
        assert ran.code == Exit.INTEGRITY
        assert f"{position}" in ran.out + ran.err


def test_a_projection_that_lags_is_shown_as_it_is_and_said_to_lag(run: Run, tmp_path: Path) -> None:
    from ledger.api.server import ApiServer
    from ledger.service import Service

    options = quiet(str(tmp_path / "l.sqlite"), service__evaluate=False, service__project=False)
    with Service(options) as service:
        service.create_ledger(ORIGIN, clock="data", actor="users/test")
        with ApiServer(service, "127.0.0.1:0") as server:
            described = ("--owner", "stays", "--unit-value", "0.000005", "--cost", "0.000009")
            run("model", "register", "rooms", *described, "--server", server.address)
            ran = run("priorities", "--server", server.address)
    assert ran.code == 0
    assert "shows an earlier one" in ran.err


def test_a_clock_that_stepped_is_confirmed_and_says_what_to_do_until_then(
    run: Run, tmp_path: Path
) -> None:
    clock = ManualClock(START * 1_000_000)
    with serving(tmp_path, clock) as served:
        served.create(clock=LEDGER_CLOCK_WALL)
        server = ("--server", served.server.address)
        why = ("--reason", "The machine was set right.", "--json")
        ran = run("ledger", "confirm-clock", *why, *server)
        assert (ran.code, "nothing to confirm" in ran.err) == (Exit.REFUSED, True)
        clock.step(7_200_000_000)
        ran = run("signal", "define", "loss", *DEFINED, *server, "--deadline", "3")
        assert ran.code != 0
        assert "2 hours ahead of the time that has passed" in ran.err
        assert "decision-ledger ledger confirm-clock" in ran.err
        ran = run("ledger", "confirm-clock", *why, *server)
        assert ran.code == 0, ran.err
        assert tuple(ran.json) == fields_of(SHAPES["ledger confirm-clock"])
        assert run("signal", "define", "loss", *DEFINED, *server).code == 0


def test_scripts_that_state_millionths_go_on_working(cli: Run) -> None:
    millionths = ("--impact-ppm", "800000", "--unit-value-micros", "250000")
    ran = cli("model", "register", "old", "--owner", "team", *millionths, "--cost-micros", "7")
    assert ran.code == 0, ran.err
    shown = cli("model", "show", "old", "--json").json
    assert (shown["impact_ppm"], shown["unit_value_micros"], shown["cost_micros"]) == (
        800_000,
        250_000,
        7,
    )
    assert "--impact-ppm" not in cli("model", "register", "--help").out
