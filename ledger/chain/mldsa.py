"""ML-DSA-44 signatures (FIPS 204), where the package `cryptography` has them.

It has them in newer releases, and only with an OpenSSL that does. Without them a key is kept and
never counts, as one of a type unknown here: nothing is taken for checked that was not.
"""

from collections.abc import Iterator
from functools import cache
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

PUBLIC_KEY_BYTES: Final = 1_312
SIGNATURE_BYTES: Final = 2_420

_SEED_BYTES: Final = 32
_COEFFICIENT_BITS: Final = 10
_COEFFICIENTS: Final = 1_024
_NEAR_ZERO: Final = (0, (1 << _COEFFICIENT_BITS) - 1)
"""The coefficients t1 of which t1 · 2^13, modulo 8,380,417, is 0 or −1."""


@cache
def is_there() -> bool:
    """Return whether signatures can be verified here."""
    try:
        _verify(bytes(PUBLIC_KEY_BYTES), bytes(SIGNATURE_BYTES), b"")
    except InvalidSignature:
        return True
    except (ImportError, UnsupportedAlgorithm):
        return False
    return True


def is_genuine(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Return whether a signature is the key's, over a message without a context."""
    try:
        _verify(public_key, signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _verify(public_key: bytes, signature: bytes, message: bytes) -> None:
    from cryptography.hazmat.primitives.asymmetric.mldsa import (  # noqa: PLC0415 - may be missing
        MLDSA44PublicKey,
    )

    MLDSA44PublicKey.from_public_bytes(public_key).verify(signature, message)


def flaw_of(public_key: bytes) -> str:
    """Return why bytes are no public key, "" if they may be one.

    Any bytes of the right length can be read as one. Where t is zero or nearly so, a signature
    needs no secret, as under a point of small order; an honest key has two such coefficients in
    its 1,024.
    """
    if len(public_key) != PUBLIC_KEY_BYTES:
        return f"the public key is not {PUBLIC_KEY_BYTES} bytes long"
    if sum(one in _NEAR_ZERO for one in _coefficients(public_key)) > _COEFFICIENTS // 2:
        return "the public key is almost zero: to sign for it needs no secret"
    return ""


def _coefficients(public_key: bytes) -> Iterator[int]:
    packed = int.from_bytes(public_key[_SEED_BYTES:], "little")
    for shift in range(0, _COEFFICIENTS * _COEFFICIENT_BITS, _COEFFICIENT_BITS):
        yield packed >> shift & _NEAR_ZERO[1]
