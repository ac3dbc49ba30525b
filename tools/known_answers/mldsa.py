"""ML-DSA-44 from FIPS 204: keys and deterministic signatures, with no regard to speed or secrecy.

Polynomials are lists of 256 integers; the numbers of algorithms are those of the standard.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

Q, D, N = 8_380_417, 13, 256
TAU, GAMMA1, GAMMA2, BETA, OMEGA, ETA = 39, 1 << 17, (Q - 1) // 88, 78, 80, 2
SIZE = 4
"""Rows and columns of the matrix."""
Poly = list[int]


def shake(*parts: bytes, size: int, bits: int = 256) -> bytes:
    """Return so many bytes of SHAKE over the parts."""
    make = hashlib.shake_256 if bits == 256 else hashlib.shake_128
    return make(b"".join(parts)).digest(size)


def near(value: int, modulus: int) -> int:
    """Return a value modulo an even or odd number, between its half below and above zero."""
    rest = value % modulus
    return rest - modulus if rest > modulus // 2 else rest


# ---- the transform (algorithms 41 and 42) --------------------------------------------------------

ZETAS = [pow(1_753, int(f"{number:08b}"[::-1], 2), Q) for number in range(N)]


def forward(poly: Poly) -> Poly:
    """Return a polynomial's transform."""
    w, m, length = list(poly), 0, 128
    while length:
        for start in range(0, N, 2 * length):
            m += 1
            for j in range(start, start + length):
                t = ZETAS[m] * w[j + length] % Q
                w[j], w[j + length] = (w[j] + t) % Q, (w[j] - t) % Q
        length //= 2
    return w


def backward(poly: Poly) -> Poly:
    """Return the polynomial of a transform."""
    w, m, length = list(poly), N, 1
    while length < N:
        for start in range(0, N, 2 * length):
            m -= 1
            for j in range(start, start + length):
                t = w[j]
                w[j] = (t + w[j + length]) % Q
                w[j + length] = -ZETAS[m] * (t - w[j + length]) % Q
        length *= 2
    return [one * pow(N, -1, Q) % Q for one in w]


def plus(a: Poly, b: Poly, factor: int = 1) -> Poly:
    """Return a + factor · b."""
    return [(x + factor * y) % Q for x, y in zip(a, b, strict=True)]


def times(a: Poly, b: Poly) -> Poly:
    """Return the product of two transforms."""
    return [x * y % Q for x, y in zip(a, b, strict=True)]


def product(matrix: Sequence[Sequence[Poly]], vector: Sequence[Poly]) -> list[Poly]:
    """Return a transformed matrix times a vector, as polynomials."""
    transformed = [forward(poly) for poly in vector]
    rows = []
    for row in matrix:
        total = [0] * N
        for a, b in zip(row, transformed, strict=True):
            total = plus(total, times(a, b))
        rows.append(backward(total))
    return rows


# ---- samples (algorithms 29 to 34) ---------------------------------------------------------------


def uniform(seed: bytes) -> Poly:
    """Return a transform whose values are drawn from all of the field."""
    data = shake(seed, size=3 * 1_000, bits=128)
    numbers = (
        int.from_bytes(data[at : at + 3], "little") & 0x7FFFFF for at in range(0, len(data), 3)
    )
    return first(number for number in numbers if number < Q)


def short(seed: bytes) -> Poly:
    """Return a polynomial of coefficients from -2 to 2."""
    halves = (half for byte in shake(seed, size=1_000) for half in (byte & 15, byte >> 4))
    return first(ETA - half % 5 for half in halves if half < 15)


def first(values: Iterator[int]) -> Poly:
    """Return the first 256 of more than as many."""
    return [next(values) for _ in range(N)]


def matrix_of(rho: bytes) -> list[list[Poly]]:
    """Return the public matrix of transforms."""
    return [[uniform(rho + bytes([s, r])) for s in range(SIZE)] for r in range(SIZE)]


def in_ball(seed: bytes) -> Poly:
    """Return the polynomial with 39 coefficients of 1 and -1 that a challenge names."""
    data = shake(seed, size=8 + 1_000)
    signs, draws = int.from_bytes(data[:8], "little"), iter(data[8:])
    c = [0] * N
    for i in range(N - TAU, N):
        j = next(draw for draw in draws if draw <= i)
        c[i] = c[j]
        c[j] = 1 - 2 * (signs & 1)
        signs >>= 1
    return c


# ---- bits and roundings (algorithms 16 to 20, 35 to 40) ------------------------------------------


def packed(values: Sequence[int], bits: int) -> bytes:
    """Return numbers of so many bits, the first one lowest."""
    total = sum(value << bits * place for place, value in enumerate(values))
    return total.to_bytes(len(values) * bits // 8, "little")


def power2round(value: int) -> tuple[int, int]:
    """Return high and low part at 2^13."""
    low = near(value, 1 << D)
    return (value - low) >> D, low


def decompose(value: int) -> tuple[int, int]:
    """Return high and low part at twice gamma2."""
    low = near(value, 2 * GAMMA2)
    return (0, low - 1) if value % Q - low == Q - 1 else ((value % Q - low) // (2 * GAMMA2), low)


def high(value: int) -> int:
    """Return the high part."""
    return decompose(value % Q)[0]


def norm(polys: Sequence[Poly], part: Callable[[int], int] = lambda one: near(one, Q)) -> int:
    """Return the greatest absolute value of any coefficient, or of a part of it."""
    return max(abs(part(one)) for poly in polys for one in poly)


@dataclass(frozen=True)
class MldsaKey:
    """A key of ML-DSA-44, made of a seed of 32 bytes."""

    seed: bytes

    @property
    def public(self) -> bytes:
        """The public key (algorithm 6)."""
        return self._expanded()[0]

    def _expanded(self) -> tuple[bytes, bytes, list[Poly], list[Poly], list[Poly]]:
        seeds = shake(self.seed, bytes([SIZE, SIZE]), size=128)
        rho, secret, key = seeds[:32], seeds[32:96], seeds[96:]
        polys = [short(secret + number.to_bytes(2, "little")) for number in range(2 * SIZE)]
        s1, s2 = polys[:SIZE], polys[SIZE:]
        t = [plus(a, b) for a, b in zip(product(matrix_of(rho), s1), s2, strict=True)]
        t1 = b"".join(packed([power2round(one)[0] for one in poly], 10) for poly in t)
        t0 = [[power2round(one)[1] for one in poly] for poly in t]
        return rho + t1, key, s1, s2, t0

    def sign(self, message: bytes) -> bytes:
        """Return the deterministic signature, without a context (algorithms 2 and 7)."""
        public, key, s1, s2, t0 = self._expanded()
        matrix = matrix_of(public[:32])
        mu = shake(shake(public, size=64), b"\x00\x00", message, size=64)
        seed = shake(key, bytes(32), mu, size=64)
        kappa = 0
        while True:
            masks = [seed + (kappa + r).to_bytes(2, "little") for r in range(SIZE)]
            y = [mask(one) for one in masks]
            kappa += SIZE
            w = product(matrix, y)
            w1 = b"".join(packed([high(one) for one in poly], 6) for poly in w)
            challenge = shake(mu, w1, size=32)
            c = [[forward(in_ball(challenge))]]
            cs1, cs2, ct0 = ([product(c, [one])[0] for one in vector] for vector in (s1, s2, t0))
            z = [plus(a, b) for a, b in zip(y, cs1, strict=True)]
            rest = [plus(a, b, -1) for a, b in zip(w, cs2, strict=True)]
            low = norm(rest, lambda one: decompose(one)[1])
            if norm(z) >= GAMMA1 - BETA or low >= GAMMA2 - BETA or norm(ct0) >= GAMMA2:
                continue
            hints = [
                [at for at in range(N) if high(a[at]) != high(a[at] + b[at])]
                for a, b in zip(rest, ct0, strict=True)
            ]
            if sum(map(len, hints)) <= OMEGA:
                zs = (packed([GAMMA1 - near(one, Q) for one in poly], 18) for poly in z)
                return challenge + b"".join(zs) + hint(hints)


def mask(seed: bytes) -> Poly:
    """Return a polynomial of 18 bits a coefficient (algorithm 34)."""
    total = int.from_bytes(shake(seed, size=32 * 18), "little")
    return [GAMMA1 - (total >> 18 * at & (1 << 18) - 1) for at in range(N)]


def hint(places: Sequence[Sequence[int]]) -> bytes:
    """Return places as bytes: all of them, then how many there are up to each polynomial."""
    every = [at for row in places for at in row]
    ends = [sum(map(len, places[: number + 1])) for number in range(SIZE)]
    return bytes(every + [0] * (OMEGA - len(every)) + ends)
