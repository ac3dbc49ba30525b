"""The README's proof is carried out: a ledger exported, carried away, verified without the service.

Method: a few weeks of the demo, a server on its ledger, then every further line of the page's block
in one shell, in order, each line's output compared with what the page shows. Only hashes, keys and
seconds differ from run to run and are masked. The page's digest of the verifier is the file's.
"""

import hashlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
_SECONDS = 500


def steps() -> list[tuple[str, str]]:
    """Return (command, what the page shows) for each line of the block."""
    found = re.search(r"^```proof\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert found, "README.md has no block proof"
    parts = re.split(r"^\$ ", found[1], flags=re.MULTILINE)[1:]
    return [(part.partition("\n")[0], part.partition("\n")[2]) for part in parts]


def masked(text: str) -> str:
    text = re.sub(r"\+[0-9a-f]{8}\+[A-Za-z0-9+/=]{40,}", "+KEY", text)
    text = re.sub(r"\b[0-9a-f]{16,}", "HASH", text)
    text = re.sub(r"seconds: [\d.]+", "seconds: SOME", text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LEDGER_")}
    return kept | {
        "COLUMNS": "100",
        "HOME": str(folder),
        "NO_COLOR": "1",
        "PYTHONPATH": str(ROOT),
        "XDG_STATE_HOME": str(folder / "state"),
    }


def test_the_proof_is_carried_out_as_the_page_shows_it(tmp_path: Path) -> None:
    (make, _), (serve, _), *rest = steps()
    (tmp_path / "tools").symlink_to(ROOT / "tools")
    demo = make.removeprefix("python3 tools/dev.py demo ").split()
    subprocess.run(
        [sys.executable, "-m", "tools.demo", *demo],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        timeout=_SECONDS,
        check=True,
    )
    database = serve.split("--db ")[1].split()[0]
    server = subprocess.Popen(
        [sys.executable, "-m", "ledger", "serve", "--db", database, "--listen", "127.0.0.1:0"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert server.stdout is not None
        serving = re.fullmatch(r"Serving on (127\.0\.0\.1:\d+)\n", server.stdout.readline())
        assert serving, "the server did not say where it serves"
        outputs = in_one_shell(tmp_path, serving[1], [command for command, _ in rest])
    finally:
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=_SECONDS)
    for (command, shown), printed in zip(rest, outputs, strict=True):
        assert masked(printed) == masked(shown), command


def in_one_shell(folder: Path, address: str, commands: list[str]) -> list[str]:
    """Run the commands one after the other and return what each printed."""
    mark = "@@@@"
    script = [
        "set -e -o pipefail",
        f'decision-ledger() {{ "{sys.executable}" -m ledger "$@"; }}',
        f'python3() {{ "{sys.executable}" "$@"; }}',
    ]
    for command in commands:
        script += [command, f"echo '{mark}'"]
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=folder,
        env=environment(folder) | {"LEDGER_SERVER__ADDRESS": address},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout.split(f"{mark}\n")[:-1]


def test_the_published_digest_is_that_of_the_verifier() -> None:
    digest = hashlib.sha256((ROOT / "tools" / "verify_bundle.py").read_bytes()).hexdigest()
    assert f"`{digest}`" in README
