"""What other projects made may be missing; then the tests that need it are skipped, and say so."""

from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """Skip the test that runs, with one line that says what is not checked and why."""
    pytest.skip(what)
