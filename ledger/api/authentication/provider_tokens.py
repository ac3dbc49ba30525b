"""Bearer tokens of OpenID providers: JSON Web Tokens, verified by PyJWT under rules of our own.

The rules, in the order in which they are checked (RFC 8725 gives the reasons):

1. Three parts, header and claims in JSON that names nothing twice. An encrypted token is refused.
2. The algorithm is one of key pairs, before any key is looked for: never `none`, never a secret.
3. No `crit`, and a `typ` that says JWT or access token, if any.
4. `iss` is a provider that is set, and the algorithm one that is set for it.
5. The key is one that this provider publishes. Keys that a token brings or points to (`jwk`, `jku`,
   `x5c`, `x5u`) are never looked at.
6. The signature verifies, `iss` and `aud` are ours, `sub` is there.
7. `exp` is there and not over, `nbf` and `iat` are not to come, within the skew, by our clock.
8. A token that is bound to a certificate (`cnf`, RFC 8705) comes over a connection with that one.

A token that has passed is remembered by its SHA-256 until it expires, or until a key of its
provider changes. The token itself is kept nowhere.
"""

import base64
import binascii
import hashlib
import json
import math
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import jwt
from jwt import PyJWK
from jwt.exceptions import (
    InvalidAudienceError,
    InvalidIssuerError,
    InvalidSignatureError,
    MissingRequiredClaimError,
    PyJWTError,
)

from ledger.api.authentication import refusals
from ledger.api.authentication.call_facts import CallFacts
from ledger.api.authentication.certificates import fingerprint_of
from ledger.api.authentication.credential import Credential, address_of
from ledger.api.authentication.provider_keys import ProviderKeys
from ledger.api.steps import NotYetError
from ledger.clock import Clock
from ledger.errors import LedgerError
from ledger.limits import BEARERS_REMEMBERED, SUBJECT_CHARS_MAX

_SECRETS: Final = ("none", "HS256", "HS384", "HS512")
_KEY_PAIRS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
_TYPES: Final = frozenset({"jwt", "at+jwt", "application/jwt", "application/at+jwt"})
_SUBJECT: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?", re.ASCII)
_SECONDS_MAX: Final = 1 << 38  # some 8,000 years
_MICROS: Final = 1_000_000
_OPTIONS: Final[Any] = {
    "require": ["iss", "aud", "exp", "sub"],
    "verify_exp": False,  # these three by our own clock
    "verify_nbf": False,
    "verify_iat": False,
    "enforce_minimum_key_length": True,
}


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider whose tokens are taken."""

    issuer: str
    audience: str
    algorithms: Sequence[str]
    keys: ProviderKeys


@dataclass(frozen=True, slots=True)
class _Verified:
    """A token that has passed, and under which keys."""

    provider: Provider
    generation: int
    subject: str
    expires_at: int
    certificate: str | None
    """SHA-256 of the certificate that it is bound to, in hexadecimal; None for any caller."""


class ProviderTokens:
    """Verifies tokens of several providers. Safe to call on any thread."""

    def __init__(self, providers: Sequence[Provider], clock: Clock, skew_seconds: int) -> None:
        self._providers = {provider.issuer: provider for provider in providers}
        self._clock = clock
        self._skew_micros = skew_seconds * _MICROS
        self._remembered: dict[str, _Verified] = {}
        self._lock = threading.Lock()

    def credential_of(self, text: str, facts: CallFacts) -> Credential:
        """Return the credential that a token is; LedgerError, with nothing of it, where it is none.

        NotYetError, from a call that is patient, while the keys of its provider are being read.
        """
        fingerprint = hashlib.sha256(text.encode("ascii")).hexdigest()
        found = self._remembered.get(fingerprint)
        if found is not None:
            found.provider.keys.look()
        if found is None or found.generation != found.provider.keys.generation:
            found = self._verified(text, facts)
            self._remember(fingerprint, found)
        if self._clock.now_micros() >= found.expires_at:
            with self._lock:
                self._remembered.pop(fingerprint, None)
            raise refusals.expired("bearer token")
        if found.certificate is not None and found.certificate != fingerprint_of(facts):
            raise refusals.invalid(
                "the bearer token is bound to a key that this connection does not prove",
                "Present it over TLS with the client certificate that it was issued to.",
            )
        return Credential(
            "jwt",
            found.provider.issuer,
            found.subject,
            fingerprint,
            address_of(facts.peer),
            found.expires_at,
        )

    def _remember(self, fingerprint: str, found: _Verified) -> None:
        with self._lock:
            while len(self._remembered) >= BEARERS_REMEMBERED:
                del self._remembered[next(iter(self._remembered))]
            self._remembered[fingerprint] = found

    # ---- verification ----------------------------------------------------------------------------

    def _verified(self, text: str, facts: CallFacts) -> _Verified:
        header, stated = _parts_of(text)
        algorithm = _algorithm_of(header)
        _check_header(header)
        issuer = stated.get("iss")
        provider = self._providers.get(issuer) if isinstance(issuer, str) else None
        if provider is None:
            raise refusals.wrong_issuer()
        if algorithm not in provider.algorithms:
            raise refusals.refused_algorithm(algorithm)
        provider.keys.look()
        generation = provider.keys.generation  # before the keys: they may change from here on
        claims = _checked(text, provider, algorithm, _keys_for(header, algorithm, provider, facts))
        self._check_beginning(claims)
        expires = _seconds_of(claims, "exp")
        assert expires is not None, "PyJWT requires it"
        return _Verified(
            provider,
            generation,
            _subject_of(claims),
            math.floor(expires * _MICROS) + self._skew_micros,
            _bound_to(claims),
        )

    def _check_beginning(self, claims: dict[str, Any]) -> None:
        latest = self._clock.now_micros() + self._skew_micros
        for name in ("nbf", "iat"):
            begins = _seconds_of(claims, name)
            if begins is not None and begins * _MICROS > latest:
                raise refusals.not_yet_valid("bearer token")


def _parts_of(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims of a token, neither of them verified."""
    parts = text.split(".")
    if len(parts) == 5:
        raise refusals.invalid("the bearer token is encrypted", "Present one that is signed only.")
    if len(parts) != 3:
        raise refusals.invalid("the bearer token is neither a JWT nor of the form dlt_ID_SECRET")
    return _object_of(parts[0]), _object_of(parts[1])


def _object_of(part: str) -> dict[str, Any]:
    try:
        raw = base64.b64decode(part + "=" * (-len(part) % 4), altchars="-_", validate=True)
        found = json.loads(raw, object_pairs_hook=_unique)
    except (ValueError, RecursionError, binascii.Error):
        raise _malformed() from None
    if not isinstance(found, dict):
        raise _malformed()
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _malformed() -> LedgerError:
    return refusals.invalid("the bearer token is no well-formed JWT")


def _algorithm_of(header: dict[str, Any]) -> str:
    algorithm = header.get("alg")
    if not isinstance(algorithm, str):
        raise refusals.refused_algorithm("none is named")
    if algorithm in _KEY_PAIRS:
        return algorithm
    named = [name for name in _SECRETS if algorithm.lower() == name.lower()]
    raise refusals.refused_algorithm(named[0] if named else "one that this server does not know")


def _check_header(header: dict[str, Any]) -> None:
    if "crit" in header or "b64" in header:
        raise refusals.invalid("the bearer token asks for an extension that is not supported")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise refusals.invalid(
            "the bearer token is of another type than JWT", "Present an access token or id token."
        )


def _keys_for(
    header: dict[str, Any], algorithm: str, provider: Provider, facts: CallFacts
) -> list[PyJWK]:
    """Return the keys that may have signed a token; TOKEN_KEY_UNKNOWN where there are none."""
    key_id = header.get("kid")
    if key_id is not None and not isinstance(key_id, str):
        raise _malformed()
    keys = provider.keys
    if found := keys.keys.find(key_id, algorithm):
        return found
    keys.miss()
    if keys.is_reading and facts.is_patient:
        raise NotYetError(lambda: not keys.is_reading)
    if found := keys.keys.find(key_id, algorithm):  # they came this very moment
        return found
    is_settled = not (keys.is_reading or keys.problem)
    raise refusals.unknown_key(None if is_settled else max(1.0, keys.retry_seconds()))


def _checked(
    text: str, provider: Provider, algorithm: str, keys: Sequence[PyJWK]
) -> dict[str, Any]:
    """Return the claims of a token whose signature, issuer and audience are in order."""
    for key in keys:
        try:
            return jwt.decode(
                text,
                key,
                algorithms=[algorithm],
                options=_OPTIONS,
                audience=provider.audience,
                issuer=provider.issuer,
            )
        except InvalidSignatureError:
            continue
        except InvalidIssuerError:
            raise refusals.wrong_issuer() from None
        except InvalidAudienceError:
            raise refusals.wrong_audience() from None
        except MissingRequiredClaimError as error:
            if error.claim == "aud":
                raise refusals.wrong_audience() from None
            raise refusals.invalid("the bearer token lacks one of `iss`, `exp`, `sub`") from None
        except (PyJWTError, ValueError, TypeError):
            raise _malformed() from None
    raise refusals.invalid("the signature of the bearer token does not verify")


def _seconds_of(claims: dict[str, Any], name: str) -> int | float | None:
    """Return a time among the claims, in seconds; None where it has none of that name."""
    if name not in claims:
        return None
    value: Any = claims[name]
    if type(value) not in {int, float} or not -_SECONDS_MAX < value < _SECONDS_MAX:
        raise refusals.invalid(f"`{name}` of the bearer token is no time")
    found: int | float = value
    return found


def _subject_of(claims: dict[str, Any]) -> str:
    subject = claims["sub"]
    if len(subject) > SUBJECT_CHARS_MAX or _SUBJECT.fullmatch(subject) is None:
        raise refusals.invalid("`sub` of the bearer token is not 1 to 255 ASCII characters")
    assert isinstance(subject, str), "PyJWT verifies that"
    return subject


def _bound_to(claims: dict[str, Any]) -> str | None:
    """Return the SHA-256 of the certificate that a token is bound to; None for a plain one."""
    if "cnf" not in claims:
        return None
    proof = claims["cnf"]
    thumbprint = proof.get("x5t#S256") if isinstance(proof, dict) and len(proof) == 1 else None
    try:
        raw = base64.b64decode(f"{thumbprint}=", altchars="-_", validate=True)
    except (ValueError, binascii.Error):
        raw = b""
    if len(raw) != 32:
        raise refusals.invalid(
            "the bearer token is bound to a proof that this server does not check",
            "Ask the provider for one that is bound to a certificate, or to nothing.",
        )
    return raw.hex()
