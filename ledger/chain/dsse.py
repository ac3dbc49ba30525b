"""Envelopes of the DSSE form: bytes with their type, under signatures of Ed25519 keys.

A signature is over the pre-authentication encoding, which begins with `DSSEv1` and a space. The
text of a note begins with an origin, which has no space: neither can be taken for the other, so
that the key of a ledger may sign both.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from ledger.chain.keys import SecretKey, VerifierKey, decode_base64, encode_base64
from ledger.events.canonical import encode

STATEMENT_TYPE: Final = "application/vnd.in-toto+json"
"""The payload type of in-toto statements."""
_SIGNATURES_MAX: Final = 100
_ENVELOPE: Final = frozenset({"payload", "payloadType", "signatures"})
_SIGNATURE: Final = frozenset({"keyid", "sig"})


class EnvelopeError(ValueError):
    """The fault of an envelope, as a clause."""


def encoded(payload_type: str, payload: bytes) -> bytes:
    """Return the bytes that a signature is over."""
    named = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(named), named, len(payload), payload)


def sealed(payload: bytes, payload_type: str, keys: Sequence[SecretKey]) -> bytes:
    """Return an envelope, signed by each key, as canonical JSON."""
    message = encoded(payload_type, payload)
    signatures = [
        {"keyid": keyid(key.verifier_key), "sig": encode_base64(key.sign(message))} for key in keys
    ]
    return encode(
        {
            "payload": encode_base64(payload),
            "payloadType": payload_type,
            "signatures": signatures,
        }
    )


def keyid(key: VerifierKey) -> str:
    """Return how an envelope names a key: a hint, not security."""
    return f"{key.name}+{key.key_id.hex()}"


def opened(envelope: bytes, payload_type: str, keys: Iterable[VerifierKey]) -> bytes:
    """Return the payload of an envelope that one of the keys has signed; EnvelopeError otherwise.

    Every signature that names one of the keys has to be that key's; others are not judged.
    """
    found, payload = _parsed(envelope)
    if found["payloadType"] != payload_type:
        raise EnvelopeError(f"it holds {str(found['payloadType'])[:80]!r}, not {payload_type}")
    message, trusted = encoded(payload_type, payload), {keyid(key): key for key in keys}
    signers = 0
    for one in found["signatures"]:
        key = trusted.get(one["keyid"])
        if key is None:
            continue
        if not key.verifies(message, _bytes(one["sig"], "a signature")):
            raise EnvelopeError(f"the signature of {one['keyid']} is not over its content")
        signers += 1
    if not signers:
        raise EnvelopeError("none of the keys that are trusted has signed it")
    return payload


def _parsed(envelope: bytes) -> tuple[dict[str, Any], bytes]:
    try:
        found = json.loads(envelope, object_pairs_hook=_members)
    except (ValueError, RecursionError) as error:
        raise EnvelopeError("it is not JSON") from error
    if not isinstance(found, dict) or found.keys() != _ENVELOPE:
        raise EnvelopeError("its members are not those of an envelope")
    signatures = found["signatures"]
    if not isinstance(signatures, list) or not 1 <= len(signatures) <= _SIGNATURES_MAX:
        raise EnvelopeError("it has no list of signatures")
    for one in signatures:
        if not isinstance(one, dict) or one.keys() != _SIGNATURE:
            raise EnvelopeError("a signature has other members than keyid and sig")
        if not all(isinstance(member, str) for member in one.values()):
            raise EnvelopeError("a signature is not made of texts")
    return found, _bytes(found["payload"], "the payload")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object whose members are named once each."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member is there twice")
    return found


def _bytes(text: object, what: str) -> bytes:
    try:
        if isinstance(text, str):
            return decode_base64(text)
    except ValueError:
        pass
    raise EnvelopeError(f"{what} is not base64")
