"""Known answers about checkpoints that are cosigned with ML-DSA-44 (C2SP tlog-cosignature)."""

import base64
from collections.abc import Callable
from dataclasses import dataclass

from tools.known_answers.mldsa import MldsaKey
from tools.known_answers.notes import HEAD, opening
from tools.known_answers.primitives import (
    NOW,
    ORIGIN_KEY,
    Case,
    Key,
    checkpoint,
    flip,
    hashes,
    line,
    note,
)
from tools.known_answers.trees import Document, document


@dataclass(frozen=True)
class Cosigner(Key):
    """A cosigner with a key of ML-DSA-44."""

    type: int = 6

    @property
    def public(self) -> bytes:
        """The public half."""
        return MldsaKey(self.seed).public

    def raw(self, message: bytes) -> bytes:
        """Return the signature of a message, as it is."""
        return MldsaKey(self.seed).sign(message)

    def blob(self, text: str, seconds: int) -> bytes:
        """Return id, time and signature over a checkpoint's text."""
        origin, size, root64 = text.splitlines()[:3]
        stamp = seconds.to_bytes(8, "big")
        named = [bytes([len(one.encode())]) + one.encode() for one in (self.name, origin)]
        tree = bytes(8) + int(size).to_bytes(8, "big") + base64.b64decode(root64)
        message = b"subtree/v1\n\x00" + named[0] + stamp + named[1] + tree
        return self.id + stamp + self.raw(message)


def checkpoints() -> Document:
    """Return cosigned checkpoints to open: genuine, of another tree, name or time, and cut."""
    one, two = (Cosigner(f"m{n}.example.com", bytes([n]) * 32) for n in (1, 2))
    renamed = Cosigner("m3.example.com", one.seed)
    genuine = one.blob(HEAD, NOW)
    later = one.id + (NOW + 1).to_bytes(8, "big") + genuine[12:]
    log = ORIGIN_KEY.pair

    def text_of(blob: bytes, text: str = HEAD, name: str = one.name) -> str:
        return note(text, ORIGIN_KEY.line(text), line(name, blob))

    good = text_of(genuine)
    bad = {
        "other-tree": text_of(genuine, checkpoint(ORIGIN_KEY.name, hashes(8))),
        "further-line": text_of(genuine, f"{HEAD}more to say\n"),
        "other-time": text_of(later),
        "bit-of-signature": text_of(flip(genuine, -100)),
        "cut": text_of(genuine[:-1]),
        "longer": text_of(genuine + b"\x00"),
        "by-another-key": text_of(one.id + two.blob(HEAD, NOW)[4:]),
        "under-another-name": text_of(one.id + renamed.blob(HEAD, NOW)[4:]),
    }
    cases: list[Case] = [
        opening("genuine", good, [one], "ok", verified=[one.pair], unverified=[log]),
        opening("of-no-time", text_of(one.blob(HEAD, 0)), [one], "ok", verified=[one.pair],
                unverified=[log]),
        opening("not-asked-for", good, [two, ORIGIN_KEY], "ok", verified=[log],
                unverified=[one.pair]),
    ]  # fmt: skip
    cases += [opening(name, text, [one], "invalid_signature") for name, text in bad.items()]
    return document("Checkpoints cosigned with ML-DSA-44", cases)


FILES: dict[str, Callable[[], Document]] = {"mldsa44_checkpoint.json": checkpoints}
