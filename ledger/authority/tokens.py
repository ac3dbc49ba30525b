"""Tokens that a ledger issues to services: `dlt_ID_SECRET`.

The id is 16 hexadecimal digits and on record, the secret 32 random bytes in base64url and on no
record: the ledger keeps its SHA-256. A secret of 256 random bits needs no slow hash.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import Final

PREFIX: Final = "dlt_"
ID_BYTES: Final = 8
SECRET_BYTES: Final = 32

# The last of 43 characters carries four bits: one spelling for each secret.
_FORM: Final = re.compile(
    rf"{PREFIX}([0-9a-f]{{16}})_([A-Za-z0-9_-]{{42}}[AEIMQUYcgkosw048])", re.ASCII
)
_NONE: Final = "0" * 64  # in the place of a digest where there is none; no secret has it


@dataclass(frozen=True, slots=True)
class ServiceToken:
    """A token that was just made: its text is shown once, id and digest go on record."""

    text: str = field(repr=False)
    id: str
    digest: str


@dataclass(frozen=True, slots=True)
class PresentedToken:
    """A token as a caller presents it: its id, and the SHA-256 of its secret in hexadecimal."""

    id: str
    fingerprint: str


def make_token(randomness: bytes) -> ServiceToken:
    """Return the token that 40 random bytes make."""
    assert len(randomness) == ID_BYTES + SECRET_BYTES
    token_id, secret = randomness[:ID_BYTES].hex(), randomness[ID_BYTES:]
    spelled = base64.urlsafe_b64encode(secret).decode("ascii").rstrip("=")
    return ServiceToken(f"{PREFIX}{token_id}_{spelled}", token_id, _digest_of(secret))


def parse_token(text: str) -> PresentedToken:
    """Return what a token's text says; ValueError, which repeats nothing of it, for any other."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError("it is not of the form dlt_ID_SECRET that the ledger issues")
    return PresentedToken(found[1], _digest_of(base64.urlsafe_b64decode(f"{found[2]}=")))


def is_secret_of(fingerprint: str, digest: str | None) -> bool:
    """Return whether a presented secret is the one on record; `digest` is None for an unknown id.

    It takes the same time for an unknown id as for a wrong secret, wherever the two differ.
    """
    is_equal = hmac.compare_digest(fingerprint, _NONE if digest is None else digest)
    return is_equal and digest is not None


def _digest_of(secret: bytes) -> str:
    return hashlib.sha256(secret).hexdigest()
