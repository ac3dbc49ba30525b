"""A receipt: one small file that shows one decision in a ledger, and all that it rests on.

It holds the decision, its score and the version of the policy as they were recorded, the places
and hashes of the observations that went in, and for each of them the proof that it is in the tree
of a signed checkpoint. `docs/spec/ledger_format_v1.md` has the format. That the decision follows
from its inputs is for a replay to show; that it was recorded so, and from these, the receipt shows.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from ledger.chain.checkpoint import CheckpointBody
from ledger.chain.keys import VerifierKey
from ledger.chain.link import Link
from ledger.chain.merkle import ProofError, check_inclusion
from ledger.chain.policy import WitnessPolicy
from ledger.events.base import EventData
from ledger.events.canonical import CanonicalError, decode, encode
from ledger.events.decisions import MADE, DecisionMade, ScoreComputed
from ledger.events.policies import DRAFTED, PolicyDrafted
from ledger.events.values import HASH_HEX
from ledger.export.lines import LineError, checked_line, parse_alone
from ledger.export.trust import TrustError, open_trusted

FORMAT: Final = "decision-ledger-receipt/1"
ROLES: Final = ("decision", "score", "policy")
"""The events that a receipt holds whole, in this order."""

_KEYS: Final = frozenset(
    {"checkpoint", "decision", "events", "format", "hashes", "inputs", "model"}
)
_TYPES: Final[dict[str, tuple[type[EventData], ...]]] = {
    "decision": tuple(MADE.values()),
    "score": (ScoreComputed,),
    "policy": tuple(DRAFTED.values()),
}


class ReceiptError(ValueError):
    """A receipt that does not verify; the text says what of it, and why."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The verified contents of a receipt."""

    origin: str
    model: str
    position: int
    decision: DecisionMade
    score_position: int
    policy_position: int
    input_positions: tuple[int, ...]
    checkpoint_size: int
    root: bytes
    signed_by: tuple[str, ...]
    witnesses: tuple[str, ...]
    cosigned_at: tuple[str, ...]
    """When each of the witnesses says that it cosigned, in UTC."""


def write_receipt(
    note: bytes,
    origin: str,
    events: Sequence[Link],
    prove: Callable[[int], Sequence[bytes]],
    inputs: Iterable[tuple[int, bytes]],
) -> bytes:
    """Return the receipt of a decision.

    `events` are the decision, its score, and its policy version; `prove` gives the proof of a
    position in the checkpoint's tree; `inputs` are position and event hash of each observation.
    """
    hashes: dict[bytes, int] = {}

    def path(position: int) -> list[int]:
        return [hashes.setdefault(each, len(hashes)) for each in prove(position)]

    whole = [
        {
            "event": decode(checked_line(link, origin).removesuffix(b"\n")),
            "inclusion": path(link.position),
            "role": role,
        }
        for role, link in zip(ROLES, events, strict=True)
    ]
    rest = [
        {"event_hash": hash_.hex(), "inclusion": path(position), "position": position}
        for position, hash_ in sorted(inputs)
    ]
    data = {
        "checkpoint": note.decode(),
        "decision": events[0].position,
        "events": whole,
        "format": FORMAT,
        "hashes": [each.hex() for each in hashes],
        "inputs": rest,
        "model": events[0].stream.removeprefix("models/"),
    }
    return encode(data)


def verify_receipt(
    data: bytes, keys: Sequence[VerifierKey] = (), policy: WitnessPolicy | None = None
) -> Receipt:
    """Return what a receipt says, by keys or a policy from elsewhere; ReceiptError if it lies."""
    value = _object(data)
    try:
        trusted = open_trusted(_text(value["checkpoint"]).encode(), keys, policy)
    except TrustError as error:
        raise ReceiptError(f"the checkpoint: {error}") from error
    stated = trusted.checkpoint
    tree = _Tree(stated, value["hashes"])
    links = _whole_events(value["events"], tree)
    decision, score, drafted = (_typed(links[role], _TYPES[role], role) for role in ROLES)
    assert isinstance(decision, DecisionMade)
    assert isinstance(score, ScoreComputed)
    assert isinstance(drafted, PolicyDrafted)
    _check_story(value, links, decision, score, drafted)
    inputs = _inputs(value["inputs"], tree, decision.as_of)
    tree.check_used()
    return Receipt(
        stated.origin,
        decision.model,
        links["decision"].position,
        decision,
        links["score"].position,
        links["policy"].position,
        inputs,
        stated.size,
        stated.root,
        trusted.signed_by,
        trusted.witnesses,
        trusted.cosigned_at,
    )


class _Tree:
    """The checkpoint's tree, and the hashes that a receipt's proofs are made of."""

    def __init__(self, stated: CheckpointBody, hashes: object) -> None:
        self.stated = stated
        self._hashes = [_digest(each) for each in _list(hashes, "hashes")]
        self._used: set[int] = set()
        if len(set(self._hashes)) != len(self._hashes):
            raise ReceiptError("a hash is there twice")

    def check(self, position: int, leaf: bytes, inclusion: object) -> None:
        """Raise ReceiptError unless an event is proven to be at a position."""
        path = _list(inclusion, "inclusion")
        if not all(type(at) is int and 0 <= at < len(self._hashes) for at in path):
            raise ReceiptError(f"the proof of position {position} names hashes that are not there")
        self._used.update(path)
        try:
            check_inclusion(
                index=position - 1,
                size=self.stated.size,
                leaf=leaf,
                root=self.stated.root,
                proof=[self._hashes[at] for at in path],
            )
        except ProofError as error:
            raise ReceiptError(f"position {position}: {error}") from error

    def check_used(self) -> None:
        """Raise ReceiptError if some hash belongs to no proof."""
        if len(self._used) != len(self._hashes):
            raise ReceiptError("it holds hashes that no proof needs")


def _whole_events(value: object, tree: _Tree) -> dict[str, Link]:
    """Return the whole events in a receipt, by their role, each proven."""
    items = _list(value, "events")
    if len(items) != len(ROLES):
        raise ReceiptError(f"it does not hold exactly {', '.join(ROLES)}")
    links = {}
    for role, item in zip(ROLES, items, strict=True):
        if type(item) is not dict or item.keys() != {"event", "inclusion", "role"}:
            raise ReceiptError("an event does not have exactly the keys event, inclusion, role")
        if item["role"] != role:
            raise ReceiptError(f"{role} is not in its place")
        try:
            link = parse_alone(encode(item["event"]) + b"\n", tree.stated.origin)
        except (LineError, CanonicalError) as error:
            raise ReceiptError(f"{role}: {error}") from error
        tree.check(link.position, link.event_hash, item["inclusion"])
        links[role] = link
    return links


def _typed(link: Link, classes: Sequence[type[EventData]], role: str) -> EventData:
    """Return the data of an event, which must have its body and a type of its role."""
    cls = next((each for each in classes if link.type == each.TYPE), None)
    if cls is None or link.body is None:
        known = " or ".join(each.TYPE for each in classes)
        raise ReceiptError(f"{role}: position {link.position} holds no {known} with its body")
    try:
        return cls.from_data(decode(link.body)["data"])
    except ValidationError as error:
        raise ReceiptError(f"{role}: its data does not fit {cls.TYPE}") from error


def _check_story(
    value: dict[str, Any],
    links: dict[str, Link],
    decision: DecisionMade,
    score: ScoreComputed,
    drafted: PolicyDrafted,
) -> None:
    """Raise ReceiptError unless decision, score and policy version are of each other."""
    horizon = ("model", "as_of", "evaluated_at", "policy", "policy_version", "policy_digest")
    policy = (decision.policy, decision.policy_version, decision.policy_digest)
    document = encode(drafted.document.model_dump(mode="json"))
    facts = {
        "it is not of the decision that it names": (value["decision"], value["model"])
        == (links["decision"].position, decision.model),
        "the decision is in another model's stream": links["decision"].stream
        == links["score"].stream
        == f"models/{decision.model}",
        "the score is not the one that the decision cites": decision.score_position
        == links["score"].position,
        "score and decision are not of one horizon": all(
            getattr(decision, name) == getattr(score, name) for name in horizon
        ),
        "the policy version is not the one that the decision names": policy
        == (drafted.policy, drafted.version, drafted.digest),
        "the policy's document does not have its digest": hashlib.sha256(document).hexdigest()
        == drafted.digest,
        "the policy version was recorded after the decision's horizon": links["policy"].position
        <= decision.as_of,
    }
    for why, holds in facts.items():
        if not holds:
            raise ReceiptError(why)


def _inputs(value: object, tree: _Tree, as_of: int) -> tuple[int, ...]:
    """Return the positions of the observations, each proven and before the horizon."""
    positions: list[int] = []
    for item in _list(value, "inputs"):
        if type(item) is not dict or item.keys() != {"event_hash", "inclusion", "position"}:
            raise ReceiptError(
                "an input does not have exactly the keys event_hash, inclusion, position"
            )
        position = item["position"]
        if type(position) is not int or not (positions or [0])[-1] < position <= as_of:
            raise ReceiptError("inputs do not ascend, or lie after the decision's horizon")
        tree.check(position, _digest(item["event_hash"]), item["inclusion"])
        positions.append(position)
    return tuple(positions)


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = decode(data)
    except CanonicalError as error:
        raise ReceiptError(str(error)) from error
    if type(value) is not dict or value.keys() != _KEYS:
        raise ReceiptError(f"it does not have exactly the keys {', '.join(sorted(_KEYS))}")
    if value["format"] != FORMAT:
        raise ReceiptError(f"its format is not {FORMAT}")
    return value


def _text(value: object) -> str:
    if type(value) is not str:
        raise ReceiptError("its checkpoint is not text")
    return value


def _list(value: object, name: str) -> list[Any]:
    if type(value) is not list:
        raise ReceiptError(f"{name} is not a list")
    return value


def _digest(value: object) -> bytes:
    if type(value) is not str or HASH_HEX.fullmatch(value) is None:
        raise ReceiptError("a hash is not 64 digits in hex")
    return bytes.fromhex(value)
