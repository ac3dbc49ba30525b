"""The source of the stand-alone verifier, wherever this package runs from.

There is one source file, `tools/verify_bundle.py`. A wheel carries a copy of it beside this module
(pyproject.toml, force-include); a checkout, and an editable install, which is one, has the file.
"""

from importlib.resources import files
from pathlib import Path
from typing import Final

NAME: Final = "verify_bundle.py"


def verifier_source() -> bytes:
    """Return the bytes of the stand-alone verifier."""
    packed = files("ledger.export") / NAME
    if packed.is_file():
        return packed.read_bytes()
    return (Path(__file__).parents[2] / "tools" / NAME).read_bytes()
