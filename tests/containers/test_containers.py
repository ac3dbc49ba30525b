"""Images and Compose file keep what their page promises, as far as it can be seen without Docker.

Method: the Compose file against the published schema and our own promises; the Dockerfiles taken
apart by a small parser.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from tests.support.images import (
    COMPOSE,
    FOLDER,
    IMAGES,
    ROOT,
    SERVICES,
    Instruction,
    given_to,
    instructions,
    last,
)

DOCUMENTED = (ROOT / "ledger" / "docs" / "configuration.md").read_text("utf-8")
OF_OTHERS = {"DECISION_LEDGER_IMAGE", "PGPASSFILE"}
"""What `ledger.environment` and the driver of PostgreSQL read."""


# ---- Compose -------------------------------------------------------------------------------------


def test_the_compose_file_is_valid_by_the_published_schema() -> None:
    schema = json.loads(Path(__file__).with_name("compose-spec.json").read_text())
    validator = jsonschema.Draft7Validator(schema)
    assert [one.message for one in validator.iter_errors(COMPOSE)] == []
    broken = COMPOSE | {"services": SERVICES | {"ledger": {"imagine": "x"}}}
    assert not validator.is_valid(broken)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["init"] is service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "devices", "network_mode", "pid", "ipc"} & set(service)
    assert int(service["user"].partition(":")[0]) > 0
    assert "/tmp" in service["tmpfs"]
    for port in service.get("ports", []):
        assert port.startswith("${PUBLISH:-127.0.0.1:")


@pytest.mark.parametrize("name", SERVICES)
def test_secrets_are_files_and_volumes_are_named(name: str) -> None:
    service = SERVICES[name]
    assert set(service["secrets"]) <= set(COMPOSE["secrets"])
    places = {f"/run/secrets/{one}" for one in service["secrets"]}
    given = set(service["environment"].values())
    unused = {one for one in places if one not in given}
    assert unused == set(), "a secret that no variable names"
    assert {one for one in given if str(one).startswith("/run/secrets/")} <= places
    for variable, value in service["environment"].items():
        if re.search("PASSWORD|SECRET|TOKEN", variable):
            assert variable.endswith("_FILE"), f"{variable} would show {value}"
    volumes = [one.partition(":")[0] for one in service["volumes"] if isinstance(one, str)]
    assert set(volumes) <= set(COMPOSE["volumes"])


def test_every_secret_is_used() -> None:
    used = {one for service in SERVICES.values() for one in service["secrets"]}
    assert used == set(COMPOSE["secrets"])


@pytest.mark.parametrize("name", IMAGES)
def test_every_variable_is_one_that_the_program_knows(name: str) -> None:
    stated = set(SERVICES[name]["environment"])
    for one in instructions(IMAGES[name]):
        stated |= set(re.findall(r"(LEDGER_[A-Z_]+)=", one.text)) if one.word == "ENV" else set()
    unknown = {one for one in stated - OF_OTHERS if f"| `{one}` |" not in DOCUMENTED}
    assert unknown == set()


@pytest.mark.parametrize("name", IMAGES)
def test_compose_and_image_say_the_same(name: str) -> None:
    service, image = SERVICES[name], IMAGES[name]
    assert service["build"]["dockerfile"] == f"tools/container/Dockerfile.{image}"
    assert (FOLDER / service["build"]["context"]).resolve() == ROOT
    assert service["user"] == last(image, "USER").text
    arguments = {one.text.partition("=")[0] for one in instructions(image) if one.word == "ARG"}
    assert set(service["build"]["args"]) <= arguments
    [kept] = last(image, "VOLUME").listed
    assert any(str(one).endswith(f":{kept}") for one in service["volumes"])
    health = last(image, "HEALTHCHECK").text
    if health == "NONE":
        assert "healthcheck" not in service
    else:
        words = json.loads(health.partition("CMD ")[2])
        assert service["healthcheck"]["test"] == ["CMD", *words]


@pytest.mark.parametrize("name", IMAGES)
def test_every_command_is_one_of_the_program(name: str) -> None:
    image = IMAGES[name]
    assert last(image, "ENTRYPOINT").listed == ["decision-ledger"]
    for words in (SERVICES[name]["command"], last(image, "CMD").listed):
        ran = subprocess.run(
            [sys.executable, "-m", "ledger", words[0], "--help"],
            capture_output=True, text=True, check=False, cwd=ROOT,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        for word in words:
            assert not word.startswith("--") or word in ran.stdout


def test_every_service_that_others_wait_for_says_when_it_is_well() -> None:
    for service in SERVICES.values():
        for name, how in service.get("depends_on", {}).items():
            assert how == {"condition": "service_healthy"}
            assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"


# ---- Dockerfiles ---------------------------------------------------------------------------------


@pytest.mark.parametrize("image", IMAGES.values())
def test_an_image_is_made_of_a_base_that_can_be_pinned_and_of_packages_by_hash(image: str) -> None:
    bases = [one.text.split()[0] for one in instructions(image) if one.word == "FROM"]
    assert set(bases) == {"${PYTHON}"}
    assert instructions(image)[0] == Instruction(-1, "ARG", "PYTHON=python:3.11-slim")
    installs = [
        part
        for one in instructions(image)
        if one.word == "RUN"
        for part in one.text.split(" && ")
        if " install --" in part and "pip" in part
    ]
    assert installs
    for part in installs:
        is_project = part.endswith(" .")
        assert ("--require-hashes" in part) is not is_project
        assert "--no-deps" in part


@pytest.mark.parametrize("image", IMAGES.values())
def test_an_image_runs_as_a_user_of_its_own_and_starts_no_shell(image: str) -> None:
    user, _, group = last(image, "USER").text.partition(":")
    made = " ".join(one.text for one in instructions(image) if one.word == "RUN")
    assert f"--uid {user} " in made
    assert f"--gid {group} " in made
    words = [one.word for one in instructions(image)]
    assert "ADD" not in words
    assert words[::-1].index("USER") < words[::-1].index("RUN"), "nothing is made after it"
    for word in ("ENTRYPOINT", "CMD"):
        assert last(image, word).listed


@pytest.mark.parametrize("image", IMAGES.values())
def test_what_is_copied_is_there(image: str, tmp_path: Path) -> None:
    context = given_to(image, tmp_path / "context")
    for one in instructions(image):
        if one.word == "COPY" and "--from" not in one.text:
            assert (context / one.text.split()[0]).exists(), one.text
    named = re.findall(r"tools/[\w./-]+\.txt", " ".join(one.text for one in instructions(image)))
    assert named
    assert [one for one in named if not (context / one).is_file()] == []
    assert not (context / "tests").exists()
    assert not list(context.rglob("secrets"))


def test_no_file_of_them_names_a_host() -> None:
    for path in FOLDER.iterdir():
        if path.is_file():
            text = path.read_text()
            found = re.findall(r"[\w-]+\.(?:io|com|org|net|dev)\b", text)
            assert set(found) <= {"example.com"}, path.name


def test_hadolint_finds_nothing() -> None:
    program = Path(sys.executable).with_name("hadolint")
    files = [str(FOLDER / f"Dockerfile.{image}") for image in IMAGES.values()]
    ran = subprocess.run([program, *files], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
