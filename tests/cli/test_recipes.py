"""The life of a recipe and of a benchmark from the command line, by people with roles.

Method: a served ledger that begins with an administrator; callers are believed to be whom they
name, so that each test is about what a command sends and says.
"""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from tests.cli.administered import WHY, administered, done, refused_with
from tests.cli.conftest import Ran, Run
from tests.support.audits import audited
from tools.golden_recipes import RECIPE
from tools.shapes import SHAPES, fields_of

AUTHOR, PAT = "users/author", "users/pat"
DESCRIBED = ("--owner", "x", "--unit-value", "1", "--cost", "9")
DEPLOYED = ("--baseline-loss", "0.4", "--trained-through", "2026-01-01")


@pytest.fixture
def people(tmp_path: Path) -> Iterator[Run]:
    """Run a command on a ledger of an author with a model, and of an approver."""
    with administered(tmp_path) as run:
        for number, (actor, role) in enumerate(
            ((AUTHOR, "model-owner"), (PAT, "policy-approver")), start=2
        ):
            done(run("authority", "register", actor, "--person", f"staff-{number}"))
            done(run("authority", "grant", actor, role, *WHY))
        done(run("model", "register", "fares", *DESCRIBED, "--actor", AUTHOR))
        done(run("model", "deploy", "fares", "v1", *DEPLOYED, "--actor", AUTHOR))
        yield run


def draft(run: Run, folder: Path) -> str:
    """Draft the next version; return its digest."""
    path = folder / "recipe.yaml"
    path.write_text(RECIPE)
    line = ("recipe", "draft", "weekly", str(path), "--rationale", "Needed.", "--actor", AUTHOR)
    return str(run(*line, "--json").json["version"]["digest"])


def test_a_recipe_is_drafted_shown_approved_and_retired_and_the_ledger_holds(
    people: Run, tmp_path: Path
) -> None:
    digest = draft(people, tmp_path)
    shown = done(people("recipe", "show", "weekly"))
    assert f"# digest {digest}\n" in shown
    assert "# draft\n" in shown
    path = tmp_path / "again.yaml"
    path.write_text(shown)
    assert digest in done(people("recipe", "lint", str(path)))
    approve = ("recipe", "approve", "weekly", "1", "--digest")
    own = refused_with(people(*approve, digest, "--actor", AUTHOR), "RECIPE_REFUSED")
    assert "staff-2 is its author" in own
    wrong = people(*approve, "ab" * 32, "--actor", PAT)
    assert wrong.code == 2
    assert digest in wrong.err
    done(people(*approve, digest[:12], "--comment", "It fits.", "--actor", PAT))
    draft(people, tmp_path)
    done(people("recipe", "reject", "weekly", "2", "--reason", "the same", "--actor", PAT))
    listed = people("recipe", "list", "--json").json["recipes"]
    assert [(one["version"], one["state"]) for one in listed] == [(1, "APPROVED"), (2, "REJECTED")]
    retired = done(people("recipe", "retire", "weekly", "--reason", "old", "--actor", PAT))
    assert retired.startswith("Every version of weekly so far is retired")
    assert "retired, since position" in done(people("recipe", "show", "weekly", "--version", "1"))
    report = audited(tmp_path / "ledger.sqlite")
    assert report.passed, report.text()


def test_a_recipe_is_drafted_and_approved_only_by_those_whose_role_has_that(
    people: Run, tmp_path: Path
) -> None:
    digest = draft(people, tmp_path)
    path = str(tmp_path / "recipe.yaml")
    lines = (
        ("recipe", "draft", "weekly", path, "--rationale", "x", "--actor", PAT),
        ("benchmark", "register", "fares", "v1", "--sha256", digest, "--actor", PAT),
    )
    for line in lines:
        refused_with(people(*line), "ACTOR_NOT_AUTHORISED")
    done(people("authority", "register", "users/eve", "--person", "staff-9"))
    done(people("authority", "grant", "users/eve", "viewer", *WHY))
    line = ("recipe", "approve", "weekly", "1", "--digest", digest, "--actor", "users/eve")
    refused_with(people(*line), "ACTOR_NOT_AUTHORISED")


def test_a_recipe_that_cannot_be_drafted_is_linted_with_its_places(
    people: Run, tmp_path: Path
) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE.replace("8 GiB", "8 GB").replace("gate: candidate", "gate: luck"))
    ran = people("recipe", "lint", str(path))
    assert ran.code == 1
    found = [line.partition(": error: ")[0] for line in ran.out.splitlines()]
    assert found == [f"{path}:25:11", f"{path}:40:11"]
    path.write_text(RECIPE.replace("Small enough to follow by hand.", '""'))
    assert people("recipe", "lint", str(path)).code == 0
    assert people("recipe", "lint", "--strict", str(path)).code == 1
    drafted = people("recipe", "draft", "x", str(path), "--rationale", "x", "--actor", AUTHOR)
    assert "RATIONALE_MISSING" in drafted.err


def test_a_benchmark_is_registered_with_the_digest_of_its_file_listed_and_retired(
    people: Run, tmp_path: Path
) -> None:
    artifact = tmp_path / "model.bin"
    artifact.write_bytes(b"weights")
    known = ("benchmark", "register", "fares", "v1", "--known-good", "--actor", AUTHOR)
    assert people(*known).code == 2
    done(people(*known, "--artifact", str(artifact)))
    (listed,) = people("benchmark", "list", "--model", "fares", "--json").json["benchmarks"]
    assert listed["artifact"] == sha256(b"weights").hexdigest()
    assert (listed["kind"], listed["model_version"]) == ("KNOWN_GOOD", "v1")
    other = ("benchmark", "register", "fares", "v7", "--known-good", "--artifact", str(artifact))
    assert "never served" in refused_with(people(*other, "--actor", AUTHOR), "BENCHMARK_REFUSED")
    retire = ("benchmark", "retire", "fares", "v1", "--known-good", "--reason", "old")
    done(people(*retire, "--actor", AUTHOR))
    assert people("benchmark", "list", "--json").json["benchmarks"] == []
    report = audited(tmp_path / "ledger.sqlite")
    assert report.passed, report.text()


def test_commands_that_need_a_recipe_first_print_the_documented_fields(
    people: Run, tmp_path: Path
) -> None:
    digest = draft(people, tmp_path)
    draft(people, tmp_path)
    register = ("benchmark", "register", "fares", "v0", "--sha256", digest, "--actor", AUTHOR)
    done(people(*register))
    lines = {
        "recipe show": ("weekly",),
        "recipe approve": ("weekly", "1", "--digest", digest, "--actor", PAT),
        "recipe reject": ("weekly", "2", "--reason", "x", "--actor", PAT),
        "recipe retire": ("weekly", "--version", "1", "--reason", "x", "--actor", PAT),
        "benchmark retire": ("fares", "v0", "--reason", "x", "--actor", AUTHOR),
    }
    for name, words in lines.items():
        ran: Ran = people(*name.split(), *words, "--json")
        assert ran.code == 0, ran.err
        assert tuple(ran.json) == fields_of(SHAPES[name])
