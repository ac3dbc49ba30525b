"""The steps that build an image are run, and its program runs by the settings of the Compose file.

Method: the first stage of each Dockerfile, with other paths, in a copy of what its build is given;
then server and worker from the environments that this made, on a PostgreSQL server of the test's
own, with TLS and with the secrets as files.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support import own_postgres
from tests.support.images import FOLDER, IMAGES, SERVICES, given_to, instructions
from tests.support.made_elsewhere import missing
from tests.support.server_process import until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the environment of each image, made by the steps of its first stage."""
    folder, made = tmp_path_factory.mktemp("images"), {}
    for image in IMAGES.values():
        context = given_to(image, folder / f"{image}-source")
        place = folder / image
        [environment] = [
            one.text.split()[1]
            for one in instructions(image)
            if one.word == "COPY" and "--from=build" in one.text
        ]
        [step] = [one.text for one in instructions(image) if (one.stage, one.word) == (0, "RUN")]
        script = step.replace(environment, str(place)).replace("python -m", f"{sys.executable} -m")
        requirements = {"REQUIREMENTS": "tools/container/requirements-step.txt"}
        ran = subprocess.run(
            ["sh", "-euc", script], cwd=context, env=clean(requirements), check=False,
            capture_output=True, text=True,
        )  # fmt: skip
        if ran.returncode and "Could not find a version" in ran.stderr:
            missing(f"the packages of the image {image} cannot be had here")
        assert ran.returncode == 0, ran.stdout[-1_000:] + ran.stderr[-3_000:]
        shutil.rmtree(context)
        made[image] = place
    return made


def clean(more: dict[str, str]) -> dict[str, str]:
    """Return the environment of a container: nothing of this one's project."""
    kept = {name: text for name, text in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    pip = {name: text for name, text in os.environ.items() if name.startswith("PIP_")}
    return kept | pip | more


def ran(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        words, env=clean(environment), check=False, capture_output=True, text=True, timeout=120
    )


def test_an_image_holds_the_program_and_nothing_of_the_source(built: dict[str, Path]) -> None:
    for image, place in built.items():
        version = ran(str(place / "bin" / "decision-ledger"), "--version")
        assert version.returncode == 0, version.stderr
        checked = ran(str(place / "bin" / "pip"), "check")
        assert checked.returncode == 0, checked.stdout
        found = ran(
            str(place / "bin" / "python"), "-P", "-c", "import ledger; print(ledger.__file__)"
        )
        assert found.stdout.startswith(str(place)), image
    absent = ran(str(built["step"] / "bin" / "python"), "-c", "import sqlalchemy")
    assert absent.returncode == 1, "a step has the client's packages alone"


class Running(NamedTuple):
    """A server that runs as the container does."""

    process: "subprocess.Popen[bytes]"
    address: str
    environment: dict[str, str]
    certificates: Path


@pytest.fixture
def running(built: dict[str, Path], tmp_path: Path) -> Iterator[Running]:
    """Run the server by the settings and the command of the Compose file, on paths of the test."""
    secrets, state = tmp_path / "secrets", tmp_path / "state"
    secrets.mkdir()
    state.mkdir()
    program = built["service"] / "bin" / "decision-ledger"
    trial = tmp_path / "trial"
    clients = ("--client", "users/ana", "--client", "services/worker-1")
    assert ran(str(program), "certificate", "dev", str(trial), *clients).returncode == 0
    for secret, file in (
        ("ledger_certificate", "server.pem"), ("ledger_key", "server.key"),
        ("client_ca", "ca.pem"), ("ledger_ca", "ca.pem"),
        ("worker_certificate", "services-worker-1.pem"), ("worker_key", "services-worker-1.key"),
    ):  # fmt: skip
        shutil.copy(trial / file, secrets / secret)
    for secret, text in (("ledger_master_key", "ab" * 32), ("ledger_pgpass", "*:*:*:*:x")):
        (secrets / secret).write_text(f"{text}\n")
        (secrets / secret).chmod(0o600)
    with own_postgres.run() as postgres:
        environment = {
            name: placed(value, secrets, state)
            for name, value in SERVICES["ledger"]["environment"].items()
        } | {
            "LEDGER_STORAGE__DATABASE": postgres.create("ledger"),
            "LEDGER_SERVER__SOCKET": str(tmp_path / "operator.sock"),
            "HOME": str(state),
        }
        words = [
            word.replace("0.0.0.0:50051", "127.0.0.1:0") if "$" not in word else "example.com/box"
            for word in SERVICES["ledger"]["command"]
        ]
        port = tmp_path / "port"
        log = tmp_path / "server.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                [str(program), *words, "--port-file", str(port)], env=clean(environment),
                cwd=state, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            until_written(port, process, log)
            address = f"ledgers://127.0.0.1:{port.read_text().strip()}"
            yield Running(process, address, environment, trial)
        finally:
            process.terminate()
            process.wait(60)


def placed(value: str, secrets: Path, state: Path) -> str:
    """Return a value with the places of a container where the test has them."""
    text = value.replace("/run/secrets", str(secrets)).replace("/var/lib/ledger", str(state))
    return text.replace("/var/lib/worker", str(state))


def until_written(path: Path, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until(lambda: process.poll() is not None or (path.exists() and path.read_text().strip()))
    assert process.poll() is None, log.read_text()


def test_the_server_runs_by_the_settings_of_the_compose_file_and_says_that_it_is_well(
    built: dict[str, Path], running: Running, tmp_path: Path
) -> None:
    python, program = (str(built["service"] / "bin" / one) for one in ("python", "decision-ledger"))
    health = str(FOLDER / "health.py")
    well = ran(python, health, **running.environment)
    assert (well.returncode, well.stdout) == (0, "The server says SERVING.\n")
    published = running.environment["LEDGER_CHECKPOINTS__PUBLISHED"]
    on_socket = f"unix:{running.environment['LEDGER_SERVER__SOCKET']}"
    words = ("log", "publish", published, "--server", on_socket)
    told = ran(program, *words, **running.environment)
    assert told.returncode == 0, told.stderr
    assert (Path(published) / "checkpoint").exists()
    worker = {
        name: placed(value, tmp_path / "secrets", tmp_path / "state")
        for name, value in SERVICES["worker"]["environment"].items()
    } | {"LEDGER_SERVER__ADDRESS": running.address, "HOME": str(tmp_path)}
    recipes = tmp_path / "recipes"
    recipes.mkdir()
    [verb, *options] = SERVICES["worker"]["command"]
    named = [
        one.replace("/srv/recipes", str(recipes)).replace("/var/lib/worker", str(tmp_path / "work"))
        for one in options
    ]
    client = str(built["step"] / "bin" / "decision-ledger")
    worked = ran(client, verb, *named, "--once", **worker)
    assert (worked.returncode, worked.stdout) == (0, "Worked on 0 jobs.\n"), worked.stderr
    running.process.terminate()
    assert running.process.wait(60) == 0
    ended = ran(python, health, **running.environment)
    assert ended.returncode == 1
    assert "does not answer" in ended.stdout
