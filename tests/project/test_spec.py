"""The pages of the specification are whole: examples, known answers, packages.

Method: the examples are read from the pages and held to what the product computes; names of files
are looked for in the pages, and what a release packs in the settings that pack it.
"""

import re
import tomllib
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from ledger.application.planning.plans import inputs_digest
from ledger.application.planning.reasons import reason_of, worth_of
from ledger.chain.body import body_fault
from ledger.chain.checkpoint import CheckpointBody, open_checkpoint
from ledger.chain.keys import VerifierKey
from ledger.chain.link import body_hash, event_hash
from ledger.chain.merkle import leaf_hash, memory_reader, node_hash, prove_inclusion, root_of
from ledger.chain.tiles import Tile, tile_path
from ledger.events.canonical import decode, encode
from ledger.events.notation import money
from ledger.events.values import PPM, parse_time
from ledger.kernel.buckets import ModelState, SignalBuckets
from ledger.kernel.decay import decays_by_age
from ledger.kernel.excess import plan
from ledger.kernel.quotas import pooled
from tests.support.spec import SPEC, block, example, text_of
from tests.support.vectors import OWN, load_vectors
from tools.vectors_kernel import (
    kernel_case_problem,
    observation_of,
    plan_inputs_of,
    planner_case_problem,
    scoring_of,
)

ROOT = SPEC.parents[2]
PAGES = sorted(page.name for page in SPEC.glob("*.md") if page.name != "README.md")
HATCH = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]


@pytest.mark.parametrize("name", PAGES)
def test_every_page_says_in_its_head_that_it_is_normative_and_what_proves_it(name: str) -> None:
    head = text_of(name).split("\n## ")[0]
    assert "Status: normative. Version: `" in head
    assert "`tests/vectors/" in head


@pytest.mark.parametrize("name", PAGES)
def test_the_index_names_every_page(name: str) -> None:
    assert f"]({name})" in text_of("README.md")


@pytest.mark.parametrize("name", [*PAGES, "README.md"])
def test_every_link_of_a_page_leads_to_a_file(name: str) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", text_of(name))
    assert [link for link in links if not (SPEC / link).is_file()] == []


def vector_files(name: str) -> set[str]:
    return set(re.findall(r"`(?:tests/vectors/)?([a-z0-9_]+\.json)`", text_of(name)))


def test_no_page_names_a_vector_file_that_is_not_there() -> None:
    named = {file for name in PAGES for file in vector_files(name) if "_" in file}
    assert named <= {path.name for path in OWN.glob("*.json")}


def test_every_vector_file_is_of_one_page() -> None:
    times = Counter(file for name in PAGES for file in vector_files(name))
    assert {path.name: 1 for path in OWN.glob("*.json")} == {
        path.name: times[path.name] for path in OWN.glob("*.json")
    }


def test_a_source_distribution_has_the_pages_and_the_known_answers() -> None:
    packed = HATCH["sdist"]["only-include"]
    assert any(SPEC.is_relative_to(ROOT / name) for name in packed)
    assert any(OWN.is_relative_to(ROOT / name) for name in packed)
    assert not any("exclude" in target for target in HATCH.values())


def test_a_wheel_has_the_pages() -> None:
    assert any(SPEC.is_relative_to(ROOT / name) for name in HATCH["wheel"]["packages"])


# ---- the examples --------------------------------------------------------------------------------


def table(name: str, heading: str) -> list[list[str]]:
    """Return the rows of the first table below a heading."""
    below = text_of(name).split(f"\n## {heading}")[1]
    rows = re.findall(r"^\| (.+) \|$", below, re.MULTILINE)
    return [row.split(" | ") for row in rows[2:]]


def lines(name: str) -> dict[str, str]:
    """Return the worked example of a page that is one value a line."""
    return dict(line.split(": ", 1) for line in block(name).splitlines())


def test_the_hashes_of_the_page_are_those_of_its_event() -> None:
    shown = lines("ledger_format_v1.md")
    body, header = shown["body"].encode(), shown["header"].encode()
    committed = body_hash(bytes.fromhex(shown["salt"]), body).hex()
    assert body_fault(body, 2) == ""
    assert committed == shown["body_hash"] == decode(header)["body_hash"]
    assert event_hash(header).hex() == shown["leaf 1"]
    assert decode(header)["prev_hash"] == shown["leaf 0"]
    assert leaf_hash(shown["record"].encode()).hex() == shown["record leaf"]
    assert encode(decode(shown["record"].encode())).decode() == shown["record"]


def test_the_tree_and_the_checkpoint_of_the_page_are_those_of_its_events() -> None:
    shown = lines("ledger_format_v1.md")
    leaves = [bytes.fromhex(shown[f"leaf {index}"]) for index in range(3)]
    assert node_hash(*leaves[:2]).hex() == shown["node 0-1"]
    assert root_of(leaves).hex() == shown["root"]
    proof = prove_inclusion(1, 3, memory_reader(leaves))
    assert " ".join(each.hex() for each in proof) == shown["inclusion of leaf 1"]
    key = VerifierKey.parse(shown["vkey"])
    assert key.key_id.hex() == shown["key id"]
    note = f"{shown['text']}\n{shown['signature line']}\n".replace("\\n", "\n").encode()
    opened = open_checkpoint(note, origin=shown["origin"], keys=[key])
    assert opened.checkpoint == CheckpointBody(shown["origin"], 3, root_of(leaves))
    assert shown["path of tile 0 at level 0, width 3"] == tile_path(Tile(0, 0, 3))


def test_the_event_of_the_page_is_one_of_the_known_answers() -> None:
    shown, document = lines("ledger_format_v1.md"), load_vectors("ledger_format_v1.json")
    assert document["events"][1]["event"]["hash"] == shown["leaf 1"]
    assert document["checkpoints"][2]["root"] == shown["root"]
    assert shown["record"] in document["seal"]["records"]


def test_the_score_of_the_page_is_what_the_kernel_computes() -> None:
    assert kernel_case_problem(example("kernel_v1.md")) is None


def test_the_buckets_of_the_page_are_those_of_its_observations() -> None:
    case = example("kernel_v1.md")
    state = ModelState(scoring_of(case["scoring"]))
    for item in case["observations"]:
        seen = observation_of(item)
        state.observe(seen.signal, seen.value_nano, seen.observed_at, seen.sample_size)
    buckets = state.buckets_of("error_rate").sources[""]
    decays = decays_by_age(3600, 7200, 4)
    shown = [
        [index, age, decays[age], buckets[index][3], buckets[index][1], buckets[index][2]]
        for index, age in zip(sorted(buckets), (2, 1, 0), strict=True)
    ]
    assert table("kernel_v1.md", "9.") == [list(map(str, row)) for row in shown]


def test_the_score_of_the_page_of_quotas_is_what_the_kernel_computes() -> None:
    assert kernel_case_problem(example("kernel_v2.md")) is None


def test_the_buckets_of_the_page_of_quotas_are_those_of_its_observations() -> None:
    case = example("kernel_v2.md")
    scoring = scoring_of(case["scoring"])
    state = ModelState(scoring)
    for item in case["observations"]:
        state.observe(*observation_of(item))
    buckets = state.buckets_of("error_rate")
    every = SignalBuckets(replace(scoring.signals[0], sources_needed=0))
    every.sources = buckets.sources
    shown = []
    for index, (_, n, s, _) in sorted(pooled(every).items()):
        filled = sum(index in each for each in buckets.sources.values())
        shown.append([*map(str, (index, filled, n, s)), "yes" if filled >= 3 else "no"])
    assert list(pooled(buckets)) == [492323]
    assert table("kernel_v2.md", "6.") == shown


def test_the_numbers_in_the_words_of_the_kernel_s_page_are_those_of_its_example() -> None:
    case, words = example("kernel_v1.md"), " ".join(text_of("kernel_v1.md").split())
    scoring, at = scoring_of(case["scoring"]), parse_time(case["evaluated_at"])
    buckets = ModelState(scoring).buckets_of("error_rate")
    lift = PPM + scoring.impact_gain_ppm * case["model"]["impact_ppm"] // PPM
    lift += scoring.risk_gain_ppm * case["model"]["risk_ppm"] // PPM
    (output,) = [one for one in case["expect"]["signals"] if one["sustained"]]
    assert f"so `now` is {at // 3_600_000_000}. The window of 4 buckets begins with" in words
    assert f"with index {buckets.oldest_index(at)}." in words
    assert f"{output['persistence']} ≥ {scoring.signals[1].sustain_ppm}" in words
    assert f"`believed` is {output['effective']}, `mass` {output['weight']} ×" in words
    assert f"`lift` {lift}." in words


def test_the_outcome_of_the_page_is_one_of_the_known_answers() -> None:
    known = load_vectors("decision_v1.json")["outcomes"]
    assert example("decision_v1.md") in known  # each is held to the procedure by a test of its own


def test_the_deployments_of_the_page_are_one_of_the_known_answers() -> None:
    known = load_vectors("decision_v2.json")
    assert example("decision_v2.md") in known["cases"]
    assert f"a period of {known['period_seconds']:,} seconds" in text_of("decision_v2.md")


def test_the_plan_of_the_page_is_what_the_planner_computes() -> None:
    assert planner_case_problem(example("planner_v1.md")) is None


def test_the_comparison_of_the_page_is_what_reuse_computes() -> None:
    case, words = example("planner_v2.md"), " ".join(text_of("planner_v2.md").split())
    assert planner_case_problem(case) is None
    policy = case["policy"]
    decays = decays_by_age(policy["period_seconds"], policy["reuse_half_life_seconds"], 2)
    assert f"The older weighs {decays[1]} of `ONE`." in words
    assert case["expect"]["put_back"] == "v3"
    compared = {one["name"]: one["advantage_ppm"] for one in case["expect"]["compared"]}
    assert compared["v2"] is None
    assert 0 < compared["v1"] < policy["reuse_margin_ppm"] < compared["v3"]


def test_the_digest_and_the_sentences_of_the_page_are_those_of_its_plan() -> None:
    case: dict[str, Any] = example("planner_v1.md")
    inputs = plan_inputs_of(case)
    assert f"The digest of these inputs is `{inputs_digest(inputs)}`." in text_of("planner_v1.md")
    made = plan(inputs)
    sentences = []
    for row in made.backlog:
        worth = worth_of(row, made, "rules/2")
        said = reason_of(row, inputs, worth, "SCHEDULE_RETRAINING", "rules/2")
        sentences.append(f"{row.id}: {said}")
    assert block("planner_v1.md", "reasons").splitlines() == sentences


def test_the_numbers_in_the_words_of_the_planner_s_page_are_those_of_its_example() -> None:
    case, words = example("planner_v1.md"), " ".join(text_of("planner_v1.md").split())
    (told,) = re.findall(r"excesses of period (\d+) are (.+?)\.", words)
    excesses = {
        name: (cell["mean_nano"] - cell["baseline_nano"]) * PPM // cell["baseline_nano"]
        for name, cell in case["periods"][told[0]].items()
    }
    assert {name: int(x) for x, name in re.findall(r"(\d+) \(`(\w+)`\)", told[1])} == excesses
    assert f"// PPM) = {case['expect']['modes'][told[0]]}." in words
    assert f"{money(case['expect']['purse_left_micros'])} are left" in words
