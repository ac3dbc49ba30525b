"""The stand-alone verifier's Ed25519 says what RFC 8032 and OpenSSL say, and where it is stricter.

Method: the vectors of RFC 8032; random keys and messages, each signature also damaged in many ways,
judged by `cryptography` (OpenSSL) too; and edge cases in the manner of Wycheproof, computed here
with an arithmetic of points of its own: S + L, encodings that are not canonical, points of small
and mixed order. Every difference from OpenSSL is listed: it is always a refusal of a public key
that no honest generator makes.
"""

import hashlib
import json
import random  # noqa: TID251 - always from a seed
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.chain.keys import is_genuine
from tests.verifier.writing import load_tool

TOOL = load_tool()
VECTORS = json.loads((Path(__file__).parent / "rfc8032.json").read_text())["cases"]
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = (-121665 * pow(121666, P - 2, P)) % P
MESSAGE = b"the text of a checkpoint\n"

Affine = tuple[int, int]


def plus(p: Affine, q: Affine) -> Affine:
    """Add points by the affine law of the curve, another way than the verifier's."""
    k = D * p[0] * q[0] * p[1] * q[1] % P
    x = (p[0] * q[1] + q[0] * p[1]) * pow(1 + k, P - 2, P)
    y = (p[1] * q[1] + p[0] * q[0]) * pow(1 - k, P - 2, P)
    return x % P, y % P


def times(n: int, p: Affine) -> Affine:
    result = (0, 1)
    while n:
        if n & 1:
            result = plus(result, p)
        p, n = plus(p, p), n >> 1
    return result


def encoded(p: Affine, *, y_plus: int = 0, flip_sign: bool = False) -> bytes:
    sign = (p[0] & 1) ^ flip_sign
    return ((p[1] + y_plus) | sign << 255).to_bytes(32, "little")


def decoded(data: bytes) -> Affine:
    point = TOOL.decompress(data)
    assert point is not None
    assert point[2] == 1
    return point[0], point[1]


BASE = decoded((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def torsion() -> list[Affine]:
    """Return the eight points of small order."""
    for y in range(2, 50):
        point = TOOL.decompress(y.to_bytes(32, "little"))
        if point is None:
            continue
        generator = times(L, (point[0], point[1]))
        multiples = [times(n, generator) for n in range(8)]
        if len(set(multiples)) == 8:
            return multiples
    raise AssertionError


SMALL = torsion()


def openssl(public: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def hash_of(r: bytes, public: bytes, message: bytes) -> int:
    return int.from_bytes(hashlib.sha512(r + public + message).digest(), "little") % L


def scalar_of(seed: bytes) -> int:
    raw = bytearray(hashlib.sha512(seed).digest()[:32])
    raw[0] &= 248
    raw[31] = raw[31] & 127 | 64
    return int.from_bytes(raw, "little")


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["id"])
def test_vectors_of_the_rfc_verify_and_nothing_near_them_does(case: dict[str, str]) -> None:
    seed, public, message, signature = (
        bytes.fromhex(case[name]) for name in ("seed", "public", "message", "signature")
    )
    signer = Ed25519PrivateKey.from_private_bytes(seed)
    assert signer.public_key().public_bytes_raw() == public
    assert signer.sign(message) == signature
    assert TOOL.ed25519_verify(public, signature, message)
    assert not TOOL.ed25519_verify(public, signature, message + b"\0")
    for bit in range(0, 512, 37):
        changed = bytearray(signature)
        changed[bit // 8] ^= 1 << bit % 8
        assert not TOOL.ed25519_verify(public, bytes(changed), message)


def mutations(draw: random.Random, signature: bytes, public: bytes) -> list[tuple[bytes, bytes]]:
    """Return (signature, public key) pairs near a genuine one."""
    flipped = bytearray(signature)
    flipped[draw.randrange(64)] ^= 1 << draw.randrange(8)
    other = bytearray(public)
    other[draw.randrange(32)] ^= 1 << draw.randrange(8)
    s = int.from_bytes(signature[32:], "little")
    higher = signature[:32] + (s + L).to_bytes(32, "little")
    return [
        (signature, public),
        (bytes(flipped), public),
        (signature, bytes(other)),
        (higher, public),
        (signature[32:] + signature[:32], public),
    ]


def compare(seeds: range) -> int:
    """Compare verdicts with OpenSSL's; return how many were compared."""
    compared = 0
    for number in seeds:
        draw = random.Random(number)
        signer = Ed25519PrivateKey.from_private_bytes(draw.randbytes(32))
        public = signer.public_key().public_bytes_raw()
        message = draw.randbytes(draw.randrange(200))
        for signature, key in mutations(draw, signer.sign(message), public):
            genuine = TOOL.ed25519_verify(key, signature, message)
            assert genuine == openssl(key, signature, message), (number, signature.hex(), key.hex())
            assert genuine == (signature == signer.sign(message) and key == public)
            compared += 1
    return compared


def test_random_and_damaged_signatures_are_judged_as_openssl_does() -> None:
    assert compare(range(100)) == 500


@pytest.mark.slow
def test_ten_thousand_random_and_damaged_signatures_are_judged_as_openssl_does() -> None:
    assert compare(range(1_000, 3_000)) == 10_000


def signed_with(scalar: int, public: bytes, *, r: Affine, nonce: int) -> bytes:
    """Return R and S for the equation S·B = R + h·A, given a nonce for R's part in the group."""
    r_bytes = encoded(r)
    s = (nonce + hash_of(r_bytes, public, MESSAGE) * scalar) % L
    return r_bytes + s.to_bytes(32, "little")


SEED = bytes(range(32))
SCALAR = scalar_of(SEED) % L
PUBLIC = Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw()
GENUINE = Ed25519PrivateKey.from_private_bytes(SEED).sign(MESSAGE)
NONCE = 0x123456789ABCDEF
S = int.from_bytes(GENUINE[32:], "little")


def edge_cases() -> dict[str, tuple[bytes, bytes]]:
    """Return (public key, signature) of cases on which both implementations agree."""
    zeros, ones = bytes(32), b"\xff" * 32
    p_bytes = P.to_bytes(32, "little")
    cases = {
        "genuine": (PUBLIC, GENUINE),
        "empty": (PUBLIC, b""),
        "all zero": (PUBLIC, bytes(64)),
        "all ones": (PUBLIC, b"\xff" * 64),
        "truncated by a byte": (PUBLIC, GENUINE[:-1]),
        "only R": (PUBLIC, GENUINE[:32]),
        "a byte too many": (PUBLIC, GENUINE + b"\0"),
        "R is zero": (PUBLIC, zeros + GENUINE[32:]),
        "R is all ones": (PUBLIC, ones + GENUINE[32:]),
        "R is p": (PUBLIC, p_bytes + GENUINE[32:]),
        "R with its sign flipped": (
            PUBLIC,
            GENUINE[:31] + bytes([GENUINE[31] ^ 128]) + GENUINE[32:],
        ),
        "R no point of the curve": (PUBLIC, (2).to_bytes(32, "little") + GENUINE[32:]),
        "S is zero": (PUBLIC, GENUINE[:32] + zeros),
        "S is one": (PUBLIC, GENUINE[:32] + (1).to_bytes(32, "little")),
        "S is L": (PUBLIC, GENUINE[:32] + L.to_bytes(32, "little")),
        "S is L - 1": (PUBLIC, GENUINE[:32] + (L - 1).to_bytes(32, "little")),
        "S is -S": (PUBLIC, GENUINE[:32] + (L - S).to_bytes(32, "little")),
        "a bit above S": (PUBLIC, GENUINE[:63] + bytes([GENUINE[63] | 0x20])),
        "the highest bit of S": (PUBLIC, GENUINE[:63] + bytes([GENUINE[63] | 0x80])),
        "A no point of the curve": ((2).to_bytes(32, "little"), GENUINE),
        "A a byte short": (PUBLIC[:-1], GENUINE),
        "A with its sign flipped": (PUBLIC[:31] + bytes([PUBLIC[31] ^ 128]), GENUINE),
        "R of order one, honestly": (
            PUBLIC,
            signed_with(SCALAR, PUBLIC, r=(0, 1), nonce=0),
        ),
    }
    for n in (1, 2, 5, 15):
        if (s := S + n * L) < 1 << 256:
            cases[f"S + {n} L"] = (PUBLIC, GENUINE[:32] + s.to_bytes(32, "little"))
    for at, point in enumerate(SMALL[1:], 1):
        torn = plus(times(NONCE, BASE), point)
        cases[f"R with a part of small order, {at}"] = (
            PUBLIC,
            signed_with(SCALAR, PUBLIC, r=torn, nonce=NONCE),
        )
    return cases


@pytest.mark.parametrize(("name", "case"), edge_cases().items(), ids=edge_cases().keys())
def test_edge_cases_are_judged_as_openssl_does(name: str, case: tuple[bytes, bytes]) -> None:
    public, signature = case
    verdict = TOOL.ed25519_verify(public, signature, MESSAGE)
    assert verdict == openssl(public, signature, MESSAGE)
    # The equation holds for R = neutral, S = h·a: who can make it has the key.
    assert verdict == (name in {"genuine", "R of order one, honestly"})


def accepted_by_equation(public_point: Affine, public: bytes) -> bytes:
    """Return a signature that fulfils the equation without a cofactor for a key of small order."""
    for nonce in range(1, 400):
        r = encoded(times(nonce, BASE))
        h = hash_of(r, public, MESSAGE)
        if times(h, public_point) == (0, 1):
            return r + nonce.to_bytes(32, "little")
    raise AssertionError


@pytest.mark.parametrize("at", range(8))
def test_public_keys_of_small_order_are_refused_where_openssl_believes_them(at: int) -> None:
    point = SMALL[at]
    public = encoded(point)
    signature = accepted_by_equation(point, public)
    assert openssl(public, signature, MESSAGE)
    assert not TOOL.ed25519_verify(public, signature, MESSAGE)


@pytest.mark.parametrize("at", range(1, 8))
def test_public_keys_of_mixed_order_are_refused_where_openssl_believes_them(at: int) -> None:
    public = encoded(plus(times(SCALAR, BASE), SMALL[at]))
    for nonce in range(1, 400):
        r = encoded(times(nonce, BASE))
        h = hash_of(r, public, MESSAGE)
        if times(h, SMALL[at]) == (0, 1):
            signature = r + ((nonce + h * SCALAR) % L).to_bytes(32, "little")
            assert openssl(public, signature, MESSAGE)
            assert not TOOL.ed25519_verify(public, signature, MESSAGE)
            assert not is_genuine(public, signature, MESSAGE), "the product is as strict"
            return
    raise AssertionError


@pytest.mark.parametrize("at", range(1, 8))
def test_no_signature_fits_a_public_key_of_mixed_order(at: int) -> None:
    """Whatever becomes of the small part: it may vanish for us, and not for OpenSSL."""
    public = encoded(plus(times(SCALAR, BASE), SMALL[at]))
    for nonce in range(1, 40):
        r = encoded(times(nonce, BASE))
        signature = r + ((nonce + hash_of(r, public, MESSAGE) * SCALAR) % L).to_bytes(32, "little")
        assert not TOOL.ed25519_verify(public, signature, MESSAGE), nonce


def twice_encoded() -> list[tuple[Affine, bytes]]:
    """Return encodings with y from p on, and of x = 0 with a sign: none of them is canonical."""
    found = [((0, 1), encoded((0, 1), flip_sign=True))]
    found.append(((0, P - 1), encoded((0, P - 1), flip_sign=True)))
    for y in range(19):
        point = TOOL.decompress(y.to_bytes(32, "little"))
        if point is not None:
            found.append(((point[0], y), encoded((point[0], y), y_plus=P)))
    return found


@pytest.mark.parametrize("case", twice_encoded(), ids=lambda case: case[1].hex()[:4])
def test_points_have_one_encoding(case: tuple[Affine, bytes]) -> None:
    point, other = case
    assert TOOL.decompress(other) is None
    assert not TOOL.ed25519_verify(other, GENUINE, MESSAGE)
    # As R it is refused by both, since R is compared as bytes.
    signature = other + GENUINE[32:]
    assert not TOOL.ed25519_verify(PUBLIC, signature, MESSAGE)
    assert not openssl(PUBLIC, signature, MESSAGE)
    assert TOOL.compress((*point, 1, point[0] * point[1] % P)) != other


@pytest.mark.parametrize("count", [6, pytest.param(20, marks=pytest.mark.slow)])
def test_arithmetic_of_points_agrees_with_the_affine_law(count: int) -> None:
    draw = random.Random(8032)
    for _ in range(count):
        s, t, n = (draw.randrange(L) for _ in range(3))
        q = times(n, BASE)
        extended: Any = (*q, 1, q[0] * q[1] % P)
        expected = encoded(plus(times(s, BASE), times(t, q)))
        assert TOOL.compress(TOOL.combination(s, TOOL.BASE, t, extended)) == expected
