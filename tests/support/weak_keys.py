"""Ed25519 public keys for which anybody can sign, and their spellings that no honest key has."""

import hashlib
from base64 import b64encode
from typing import Final

NEUTRAL: Final = bytes.fromhex("01" + 31 * "00")

SMALL_ORDER: Final = [
    NEUTRAL,
    *map(
        bytes.fromhex,
        (
            "ec" + 30 * "ff" + "7f",
            32 * "00",
            31 * "00" + "80",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        ),
    ),
]
"""The eight points of small order."""

OTHER_SPELLINGS: Final = [
    bytes.fromhex(text)
    for text in (
        "01" + 30 * "00" + "80",
        "ec" + 31 * "ff",
        "ed" + 30 * "ff" + "7f",
        "ed" + 31 * "ff",
        "ee" + 30 * "ff" + "7f",
        "ee" + 31 * "ff",
    )
]
"""What some readers take for one of them: y from the prime on, or a sign where x is 0."""

FOR_ANYBODY: Final = bytes.fromhex("58" + 31 * "66") + bytes.fromhex("01" + 31 * "00")
"""R is the base point and S is 1: under the neutral key, a signature over whatever text."""


def vkey_text(name: str, type_: int, public_key: bytes) -> str:
    """Return a verifier key as text, whatever the key is."""
    blob = bytes([type_]) + public_key
    key_id = hashlib.sha256(f"{name}\n".encode() + blob).digest()[:4]
    return f"{name}+{key_id.hex()}+{b64encode(blob).decode()}"
