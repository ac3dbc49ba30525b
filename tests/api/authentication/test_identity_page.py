"""The page about identity says what the code does: its settings, numbers and reasons.

Method: load the page's file as settings, and look for the names and bounds of the code in its text.
"""

from pathlib import Path
from typing import get_args

import pytest

from ledger import limits
from ledger.errors import Reason
from ledger.setting_sections import AuthenticationSettings, ProviderSettings, TokenAlgorithm
from ledger.settings import load
from tests.support.pages import DOCS, block

PAGE = DOCS / "identity.md"
TEXT = PAGE.read_text("utf-8")


def test_the_settings_of_the_page_are_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LEDGER_CONFIG", raising=False)
    path = tmp_path / "ledger.toml"
    path.write_text(block(PAGE, "ledger.toml"))
    found = load(path).authentication
    assert [one.algorithms for one in found.providers] == [("RS256", "ES256"), ("RS256",)]
    default = AuthenticationSettings()
    assert (found.keys_seconds, found.skew_seconds) == (default.keys_seconds, default.skew_seconds)


def test_the_page_names_every_setting_of_a_provider_and_every_algorithm() -> None:
    for name in ProviderSettings.model_fields:
        assert f"| `{name}` |" in TEXT
    for algorithm in get_args(TokenAlgorithm):
        assert algorithm in TEXT


def test_the_page_has_the_bounds_of_the_code() -> None:
    assert f"once in {limits.KEYS_RETRY_SECONDS:g} seconds" in TEXT
    kibibytes = limits.KEYS_OF_PROVIDER_BYTES_MAX // 1024
    assert f"after {limits.KEYS_FETCH_SECONDS:g} seconds or {kibibytes} KiB" in TEXT
    assert f"more than {limits.BEARER_BYTES_MAX // 1024} KiB" in TEXT


def test_the_page_names_every_reason_for_which_a_caller_is_not_known() -> None:
    for reason in Reason:
        if reason.status == "UNAUTHENTICATED":
            assert f"| `{reason.value}` |" in TEXT
