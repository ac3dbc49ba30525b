"""Generates `ledger/v1` from `proto/`, what rules decode, and the client for threads.

    python3 tools/dev.py proto              write the files
    python3 tools/dev.py proto --check      only say whether the committed ones are current
    python3 tools/dev.py proto --release    keep today's contract as the one not to break

The generators of messages, stubs and types come with the dev packages, so that their versions are
pinned with everything else; tests/project checks that pyproject.toml asks for a runtime no older
than they are. A message-only file gets no `_grpc` module: it would be empty. The message
that rules decode is no part of the contract, so `ledger/rules/checked.proto` is beside its reader.
The client for threads comes from that for asyncio; `blocking_client` translates it.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from grpc_tools import protoc

from tools import blocking_client

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "proto"
PACKAGE = Path("ledger", "v1")
RULES = Path("ledger", "rules")
BASELINE = SOURCES / "released.binpb"
INIT = '"""Stubs generated from `proto/ledger/v1` by `tools/dev.py proto`; do not edit."""\n'


def protoc_run(sources: Path, target: Path, names: Sequence[str], *options: str) -> None:
    """Compile files to message classes and their types below target."""
    # protoc finds its plug-ins by name; they are installed beside the interpreter.
    os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    include = resources.files("grpc_tools") / "_proto"  # google/protobuf/*.proto
    code = protoc.main(
        [
            "protoc",
            f"--proto_path={sources}",
            f"--proto_path={include}",
            f"--python_out={target}",
            # Readable names in the types, and enum members as the values they are.
            f"--mypy_out=quiet,readable_stubs:{target}",
            *options,
            *names,
        ]
    )
    if code:
        sys.exit(code)


def generate(target: Path) -> None:
    """Write the whole package below target, which holds no other version of it."""
    names = sorted(
        path.relative_to(SOURCES).as_posix() for path in SOURCES.glob("ledger/v1/*.proto")
    )
    assert names, "proto/ledger/v1 holds no contract"
    protoc_run(
        SOURCES, target, names, f"--grpc_python_out={target}", f"--mypy_grpc_out=quiet:{target}"
    )
    for name in names:
        if "\nservice " not in (SOURCES / name).read_text(encoding="utf-8"):
            stem = target / name.removesuffix(".proto")
            for suffix in ("_pb2_grpc.py", "_pb2_grpc.pyi"):
                stem.with_name(stem.name + suffix).unlink(missing_ok=True)
    (target / PACKAGE / "__init__.py").write_text(INIT, encoding="utf-8")


def files(folder: Path) -> dict[str, bytes]:
    """Return every file of a generated package by name."""
    if not folder.is_dir():
        return {}
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def differences(committed: dict[str, bytes], fresh: dict[str, bytes]) -> list[str]:
    """Return one line for each file that is missing, left over or other than generated."""
    lines = [f"missing: {name}" for name in fresh.keys() - committed.keys()]
    lines += [f"left over: {name}" for name in committed.keys() - fresh.keys()]
    common = fresh.keys() & committed.keys()
    lines += [f"out of date: {name}" for name in common if fresh[name] != committed[name]]
    return sorted(lines)


def write(folder: Path, committed: dict[str, bytes], fresh: dict[str, bytes]) -> None:
    """Replace what is committed in a folder by what was generated."""
    folder.mkdir(exist_ok=True)
    for name in committed.keys() - fresh.keys():
        (folder / name).unlink()
    for name, content in fresh.items():
        (folder / name).write_bytes(content)


def release() -> int:
    """Write the baseline of `buf breaking`, after checking that it breaks the last one nowhere."""
    if BASELINE.exists():
        against = ["buf", "breaking", str(SOURCES), "--against", str(BASELINE)]
        if code := subprocess.run(against, check=False).returncode:
            return code
    build = ["buf", "build", str(SOURCES), "--exclude-source-info", "--output", str(BASELINE)]
    return subprocess.run(build, check=False).returncode


def main() -> int:
    """Generate, check or release, as the arguments say."""
    parser = argparse.ArgumentParser(description="Generate the stubs and the blocking client.")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="compare only, byte for byte")
    mode.add_argument("--release", action="store_true", help="make this contract the baseline")
    chosen = parser.parse_args()
    if chosen.release:
        return release()
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        protoc_run(ROOT, Path(folder), [(RULES / "checked.proto").as_posix()])
        stubs, checked = files(Path(folder) / PACKAGE), files(Path(folder) / RULES)
    committed = {name: text for name, text in files(ROOT / RULES).items() if "_pb2." in name}
    made = (
        (PACKAGE, files(ROOT / PACKAGE), stubs),
        (RULES, committed, checked),
        (blocking_client.PACKAGE, blocking_client.committed(), blocking_client.generated()),
    )
    found = [
        f"{package.as_posix()}: {line}"
        for package, committed, fresh in made
        for line in differences(committed, fresh)
    ]
    if chosen.check:
        for line in found:
            print(line)
        if found:
            print("Run `python3 tools/dev.py proto` and commit the result.")
        return 1 if found else 0
    for package, committed, fresh in made:
        write(ROOT / package, committed, fresh)
    print(f"wrote {', '.join(package.as_posix() for package, *_ in made)}: {len(found)} changed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
