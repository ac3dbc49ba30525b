"""The keys of a provider, as its JWKS (RFC 7517) lists them: parsed once, found by id.

Only what can check a signature by a key pair gets in. A shared secret, a key for encryption, one
published with its private part and an RSA key under 2,048 bits are passed over, as the RFC asks for
keys that a reader does not understand.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from jwt import PyJWK, PyJWTError

from ledger.limits import KEYS_OF_PROVIDER_MAX

_RSA: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_BY_CURVE: Final = {
    ("EC", "P-256"): ("ES256",),
    ("EC", "P-384"): ("ES384",),
    ("EC", "P-521"): ("ES512",),
    ("OKP", "Ed25519"): ("EdDSA",),
    ("OKP", "Ed448"): ("EdDSA",),
}


class KeySet:
    """Keys by id and algorithm."""

    def __init__(self, keys: Sequence[tuple[str | None, PyJWK]] = ()) -> None:
        self._keys = tuple(keys)

    @property
    def problem(self) -> str:
        """The reason why no token can be checked; empty where there are keys."""
        return "" if self._keys else "none of its keys can check a signature that is set for it"

    def find(self, key_id: str | None, algorithm: str) -> list[PyJWK]:
        """Return the keys that a token may be signed with.

        One without a key id is checked with the only key of its algorithm, or with none: trying
        many would let a caller choose how much work a refusal costs.
        """
        fitting = [(known, key) for known, key in self._keys if key.algorithm_name == algorithm]
        if key_id is None:
            return [fitting[0][1]] if len(fitting) == 1 else []
        return [key for known, key in fitting if known == key_id][:2]  # twice: while it is replaced


def parse_keys(data: bytes, algorithms: Sequence[str]) -> KeySet:
    """Return the keys of a JWKS that fit these algorithms, maybe none; ValueError for other bytes.

    A provider that lists no key any more has withdrawn them all.
    """
    try:
        stated = json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    listed = stated.get("keys") if isinstance(stated, dict) else None
    if not isinstance(listed, list):
        raise ValueError('it is no JWKS: an object with a list "keys"')  # noqa: TRY004 - of bytes
    if len(listed) > KEYS_OF_PROVIDER_MAX:
        raise ValueError(f"it lists {len(listed)} keys, more than {KEYS_OF_PROVIDER_MAX}")
    return KeySet(
        [
            (_id_of(key), usable)
            for key in listed
            if isinstance(key, dict)
            for algorithm in _algorithms_of(key)
            if algorithm in algorithms and (usable := _usable(key, algorithm)) is not None
        ]
    )


def _id_of(key: dict[str, Any]) -> str | None:
    key_id = key.get("kid")
    return key_id if isinstance(key_id, str) else None


def _algorithms_of(key: dict[str, Any]) -> Sequence[str]:
    """Return what a key may check: what fits its type, or of that what it says itself."""
    operations = key.get("key_ops")
    is_for_checking = key.get("use", "sig") == "sig" and (
        operations is None or (isinstance(operations, list) and "verify" in operations)
    )
    if not is_for_checking or "d" in key:
        return ()
    kind, curve = key.get("kty"), key.get("crv")
    fitting = _RSA if kind == "RSA" else _BY_CURVE.get((str(kind), str(curve)), ())
    stated = key.get("alg")
    return fitting if stated is None else [name for name in fitting if name == stated]


def _usable(key: dict[str, Any], algorithm: str) -> PyJWK | None:
    try:
        found = PyJWK(key, algorithm)
    except (PyJWTError, ValueError, TypeError, KeyError):
        return None
    return None if found.Algorithm.check_key_length(found.key) else found
