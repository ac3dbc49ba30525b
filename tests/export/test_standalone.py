"""The copy of the stand-alone verifier in a bundle is the one source file, however we run.

Method: build a wheel as a release would be, look into it, and ask the package unpacked from it.
"""

import subprocess
import sys
import zipfile
from pathlib import Path

from ledger.export.standalone import verifier_source

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "tools" / "verify_bundle.py"


def test_a_checkout_has_the_file_itself() -> None:
    assert verifier_source() == SOURCE.read_bytes()
    assert not (ROOT / "ledger" / "export" / "verify_bundle.py").exists()


def test_a_wheel_carries_it_and_finds_it(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(tmp_path / "site")
    assert (tmp_path / "site/ledger/export/verify_bundle.py").read_bytes() == SOURCE.read_bytes()
    assert (tmp_path / "site/ledger/export/report.html.jinja").is_file()
    program = (
        "import sys; from ledger.export.standalone import verifier_source; "
        "import ledger; assert ledger.__file__.startswith(sys.argv[1]); "
        "sys.stdout.buffer.write(verifier_source())"
    )
    found = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "site")],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site")},
        check=True,
        capture_output=True,
    )
    assert found.stdout == SOURCE.read_bytes()
