"""Base64 with one spelling per value, as signed notes and keys need it."""

import base64
import binascii


def encode_base64(data: bytes) -> str:
    """Return standard base64 with padding."""
    return base64.b64encode(data).decode("ascii")


def decode_base64(text: str) -> bytes:
    """Return the bytes; ValueError unless text is exactly what `encode_base64` gives for them.

    The library alone would also take non-zero trailing bits, so that two texts meant one value.
    """
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise ValueError("not base64") from error
    if encode_base64(data) != text:
        raise ValueError("not base64 in its only spelling")
    return data
