"""Tokens of an OpenID provider that others wrote count, as do its keys.

Method: a person signs in there by the code flow, and the token goes through an authenticator that
knows of that provider no more than its settings say.
"""

import pytest

from ledger.api.authentication.authenticator import build_authenticator
from ledger.clock import SystemClock
from ledger.errors import LedgerError, Reason
from ledger.setting_sections import AuthenticationSettings, ProviderSettings
from tests.support.foreign_provider import foreign_provider
from tests.support.identities import bearing
from tests.support.server_process import until


def test_a_person_who_signs_in_elsewhere_is_known_here_and_strangers_are_not() -> None:
    with foreign_provider() as provider, foreign_provider() as impostor:
        settings = AuthenticationSettings(
            providers=(
                ProviderSettings(
                    issuer=provider.issuer, audience="decision-ledger", keys=provider.keys
                ),
            )
        )
        ended: list[bool] = []
        authenticator = build_authenticator(
            settings, SystemClock(), is_loopback=False, on_keys=lambda: ended.append(True)
        )
        until(lambda: ended, "the keys were fetched")
        assert authenticator.problems() == []

        found = authenticator.authenticate(
            bearing(provider.token("ana@example.com", "decision-ledger"))
        )
        assert (found.method, found.issuer) == ("jwt", provider.issuer)
        assert found.subject == "ana@example.com"
        assert found.expires_at is not None

        for text, reason in (
            (provider.token("ana@example.com", "payroll"), Reason.TOKEN_AUDIENCE_WRONG),
            (impostor.token("ana@example.com", "decision-ledger"), Reason.TOKEN_ISSUER_WRONG),
        ):
            with pytest.raises(LedgerError) as caught:
                authenticator.authenticate(bearing(text))
            assert caught.value.reason is reason
