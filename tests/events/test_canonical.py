"""Canonical JSON is RFC 8785 over its domain, and nothing else is read as it.

Method: a plain encoder written from the RFC as the other opinion, and every bit of canonical bytes
flipped.
"""

import hashlib
import json
import math
import struct
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.events.canonical import DEPTH_MAX, CanonicalError, decode, encode, escape
from ledger.events.values import INTEGER_MAX
from tests.support.vectors import load_cases

SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}

texts = st.text(st.characters(exclude_categories=["Cs"]))
keys = st.text(st.characters(max_codepoint=127))
scalars = st.none() | st.booleans() | st.integers(-INTEGER_MAX, INTEGER_MAX) | texts
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


def plain(value: object) -> str:
    """Return canonical JSON by RFC 8785, section 3.2, said as simply as possible."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return f'"{"".join(plain_character(character) for character in value)}"'
    if isinstance(value, dict):
        ordered = sorted(value.items(), key=lambda item: item[0].encode("utf-16-be"))
        return "{" + ",".join(f"{plain(key)}:{plain(item)}" for key, item in ordered) + "}"
    assert isinstance(value, list)
    return "[" + ",".join(map(plain, value)) + "]"


def plain_character(character: str) -> str:
    if character in SHORT:
        return SHORT[character]
    return f"\\u{ord(character):04x}" if character < " " else character


@given(documents)
def test_encoding_is_that_of_the_rfc_and_reads_back(value: object) -> None:
    data = encode(value)
    assert data == plain(value).encode()
    assert decode(data) == value
    assert encode(decode(data)) == data
    assert json.loads(data) == value


def test_every_character_is_escaped_as_the_rfc_says() -> None:
    for code in [*range(0xD800), *range(0xE000, 0x110000, 97)]:
        character = chr(code)
        assert encode(character) == plain(character).encode()
        assert f'"{escape(character)}"' == plain(character)


@given(texts)
def test_escaped_text_is_the_inside_of_a_string(text: str) -> None:
    assert f'"{escape(text)}"'.encode() == encode(text)


@given(documents, st.data())
def test_a_flipped_bit_is_refused_or_is_another_canonical_value(
    value: object, data: st.DataObject
) -> None:
    honest = encode(value)
    bit = data.draw(st.integers(0, len(honest) * 8 - 1))
    damaged = bytearray(honest)
    damaged[bit // 8] ^= 1 << bit % 8
    try:
        other = decode(bytes(damaged))
    except CanonicalError:
        return
    assert encode(other) == damaged != honest


@given(st.binary(max_size=30) | st.text('{}[]",:0123456789eE+-. \\untrfalse', max_size=30))
def test_what_is_read_is_what_would_be_written(data: bytes | str) -> None:
    data = data.encode() if isinstance(data, str) else data
    try:
        value = decode(data)
    except CanonicalError:
        return
    assert encode(value) == data


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b"{} ", "not canonical from byte 2"),
        (b'{"a":1,"a":2}', "not canonical"),
        (b'{"a":1,"a":1}', "not canonical"),
        (b'{"b":1,"a":2}', "not canonical from byte 2"),
        (b'{"a": 1}', "not canonical from byte 5"),
        (b'"\\u0041"', "not canonical"),
        (b'"\\/"', "not canonical"),
        (b'"\\u000A"', "not canonical"),
        (b'"\\u001F"', "not canonical"),
        (b'"\\ud800"', "not JSON"),
        (b'"\xed\xa0\x80"', "not JSON"),
        (b'"\xff"', "not JSON"),
        (b'{"\xc3\xa9":1}', "not ASCII"),
        (b"1.0", "float"),
        (b"1e2", "float"),
        (b"-0", "not canonical|float"),
        (b"01", "not JSON"),
        (b"NaN", "not JSON"),
        (b"9007199254740992", "beyond"),
        (b"-9007199254740992", "beyond"),
        (b"1" * 400, "not JSON|float"),
        (b"[" * 100_000, "not JSON"),
        (b"[" * 200 + b"]" * 200, "deep"),
    ],
)
def test_bytes_outside_the_domain_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(CanonicalError, match=words):
        decode(data)


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1.0, r"\$: float .* decimal string"),
        (math.nan, "float"),
        ({"a": [0, 1.5]}, r"\$\.a\[1\]: float"),
        (INTEGER_MAX + 1, "beyond"),
        (-INTEGER_MAX - 1, "beyond"),
        ("\ud800", "surrogate"),
        ({"\ud800": 1}, "not ASCII"),
        ({"é": 1}, "not ASCII"),
        ({1: 1}, "not ASCII text"),
        ({True: 1}, "not ASCII text"),
        ({None: 1}, "not ASCII text"),
        (b"bytes", "bytes is outside"),
        ({1, 2}, "set is outside"),
        (Decimal(1), "Decimal is outside"),
        (Text("a"), "Text is outside"),
        ([Text("a")], "Text is outside"),
    ],
)
def test_values_outside_the_domain_are_refused_by_path(value: object, words: str) -> None:
    with pytest.raises(CanonicalError, match=words):
        encode(value)


def test_tuples_are_arrays() -> None:
    assert encode({"a": (1, ("b",))}) == b'{"a":[1,["b"]]}'


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_nesting_has_a_limit() -> None:
    deepest = encode(nested(DEPTH_MAX))
    assert decode(deepest) == nested(DEPTH_MAX)
    with pytest.raises(CanonicalError, match="deep"):
        encode(nested(DEPTH_MAX + 1))
    with pytest.raises(CanonicalError, match="deep"):
        decode(b"[" + deepest + b"]")


def test_a_lone_surrogate_cannot_be_escaped() -> None:
    with pytest.raises(CanonicalError, match="surrogate"):
        escape("a\udfff")


# ---- other people's known answers ----------------------------------------------------------------

CASES = load_cases("jcs_rfc8785.json")
DOCUMENTS = [name for name, case in CASES.items() if case["kind"] == "document"]
NUMBERS = [name for name, case in CASES.items() if case["kind"] == "number"]


def is_inside(value: object) -> bool:
    """Return whether a JSON value is in the domain: no floats, ASCII keys."""
    if isinstance(value, dict):
        return all(key.isascii() and is_inside(item) for key, item in value.items())
    if isinstance(value, list):
        return all(map(is_inside, value))
    return not isinstance(value, float)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_document_known_answer_or_refusal(name: str) -> None:
    case = CASES[name]
    value = json.loads(case["input"])
    if is_inside(value):
        assert encode(value) == case["canonical"].encode()
        assert hashlib.sha256(encode(value)).hexdigest() == case["canonical_sha256"]
    else:
        with pytest.raises(CanonicalError):
            encode(value)
        with pytest.raises(CanonicalError):
            decode(case["input"].encode())


@pytest.mark.parametrize("name", NUMBERS)
def test_doubles_are_refused_and_so_are_their_texts(name: str) -> None:
    case = CASES[name]
    (value,) = struct.unpack(">d", bytes.fromhex(case["ieee754_hex"]))
    with pytest.raises(CanonicalError, match="float"):
        encode(value)
    text = case["canonical"]
    if text is not None and text != "0":  # the one that is an integer of the domain, too
        with pytest.raises(CanonicalError):
            decode(text.encode())
