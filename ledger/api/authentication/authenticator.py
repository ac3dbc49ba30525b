"""The credential of a call: the one way to it from what a caller presents.

Of what a call presents the first of these counts, and no other is looked at:

1. a bearer token, since a proxy's certificate is never taken for the user's;
2. the client certificate of its connection;
3. the Unix socket, which only the operator of the machine can open;
4. on a server that listens on loopback alone, the name that the caller gives itself.

A bearer token that is refused is not made up for by what comes after it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from ledger.api.authentication import refusals
from ledger.api.authentication.bearer import bearer_of
from ledger.api.authentication.call_facts import CallFacts
from ledger.api.authentication.certificates import certificate_of
from ledger.api.authentication.credential import UNIX, Credential, address_of
from ledger.api.authentication.provider_keys import FileKeys, ProviderKeys, UrlKeys
from ledger.api.authentication.provider_tokens import Provider, ProviderTokens
from ledger.authority.tokens import PREFIX, parse_token
from ledger.clock import Clock
from ledger.setting_sections import AuthenticationSettings, ProviderSettings
from ledger.settings import SettingsError

ANONYMOUS = "users/anonymous"


class Authenticator:
    """Finds out who calls. Safe to call on any thread; it never waits."""

    def __init__(
        self,
        providers: Sequence[Provider],
        clock: Clock,
        *,
        skew_seconds: int,
        is_loopback: bool,
        is_development: bool,
    ) -> None:
        """`is_loopback`: whether the server listens on loopback and Unix sockets only."""
        self._providers = tuple(providers)
        self._tokens = ProviderTokens(providers, clock, skew_seconds)
        self._clock = clock
        self._is_loopback = is_loopback
        self.believes_names = is_loopback and is_development
        """Whether a credential of the method `development` counts where authority is in force."""

    def authenticate(self, facts: CallFacts) -> Credential:
        """Return the credential of a call; LedgerError with a reason under UNAUTHENTICATED.

        FIELD_INVALID where a name is all that the call presents, and it is malformed. NotYetError,
        from a call that is patient, while the keys of a provider are being read.
        """
        bearer = bearer_of(facts)
        if bearer is not None:
            if bearer.startswith(PREFIX):
                return _issued(bearer, facts)
            return self._tokens.credential_of(bearer, facts)
        certificate = certificate_of(facts, self._clock.now_micros())
        if certificate is not None:
            return certificate
        address = address_of(facts.peer)
        if address == UNIX:
            return Credential("socket", "", "", "", address, None)
        if not self._is_loopback:
            raise refusals.unauthenticated()
        return Credential("development", "", facts.claimed_actor() or ANONYMOUS, "", address, None)

    def problems(self) -> list[str]:
        """Return a sentence for each provider whose keys could not be read the last time."""
        return [
            f"The keys of {provider.issuer} cannot be read: {provider.keys.problem}."
            for provider in self._providers
            if provider.keys.problem
        ]


def build_authenticator(
    settings: AuthenticationSettings,
    clock: Clock,
    *,
    is_loopback: bool,
    on_keys: Callable[[], None],
) -> Authenticator:
    """Return the authenticator that the settings describe; SettingsError for an unusable file.

    Keys behind a URL are asked for at once, without waiting. `on_keys` is called on any thread when
    they were, so that calls that wait for them look again.
    """
    providers = [
        Provider(each.issuer, each.audience, each.algorithms, _keys(each, settings, clock, on_keys))
        for each in settings.providers
    ]
    return Authenticator(
        providers,
        clock,
        skew_seconds=settings.skew_seconds,
        is_loopback=is_loopback,
        is_development=settings.development,
    )


def _keys(
    provider: ProviderSettings,
    settings: AuthenticationSettings,
    clock: Clock,
    on_keys: Callable[[], None],
) -> ProviderKeys:
    if "://" in provider.keys:
        keys: ProviderKeys = UrlKeys(
            provider.keys,
            provider.algorithms,
            clock,
            ca=provider.ca,
            fresh_seconds=settings.keys_seconds,
            on_read=on_keys,
        )
        keys.look()
        return keys
    keys = FileKeys(Path(provider.keys), provider.algorithms)
    keys.look()
    if keys.problem:
        raise SettingsError(
            f"authentication.providers: the keys of {provider.issuer} in {provider.keys} cannot be "
            f"used: {keys.problem}. Put its JWKS there, or correct the path."
        )
    return keys


def _issued(bearer: str, facts: CallFacts) -> Credential:
    """Return the credential of a token that some ledger issued; that ledger says if it counts."""
    try:
        presented = parse_token(bearer)
    except ValueError as error:
        raise refusals.invalid(f"the bearer token: {error}") from None
    return Credential(
        "token", "", presented.id, presented.fingerprint, address_of(facts.peer), None
    )
