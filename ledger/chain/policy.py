"""Policy files (C2SP tlog-policy): which logs to believe, and how many witnesses it takes.

A checkpoint is accepted if a listed log signed it, under a key whose name is its origin, and the
witnesses that cosigned it meet the quorum. A policy that lists no log accepts nothing.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Final

from ledger.chain.checkpoint import CheckpointBody
from ledger.chain.checkpoint import parse as parse_checkpoint
from ledger.chain.cosignature import CosignerKey, says_when, timestamp_of
from ledger.chain.keys import (
    ED25519,
    MLDSA_COSIGNATURE,
    KeyFormatError,
    UnknownKey,
    VerifierKey,
    parse_unknown,
)
from ledger.chain.note import (
    NoteError,
    NoteVerifier,
    Signature,
    UnverifiedNoteError,
    open_note,
)
from ledger.chain.witness_times import Cosigned, TimeBounds

POLICY_BYTES_MAX: Final = 1_000_000

_NONE: Final = "none"
_FOREIGN_OCTET: Final = re.compile(rb"[^\x09\x0a\x20-\x7e\x80-\xff]")
_THRESHOLD: Final = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)


class PolicyError(ValueError):
    """A file that is no policy; the text names the line."""


class QuorumError(NoteError):
    """A genuine checkpoint that too few witnesses have cosigned."""


@dataclass(frozen=True, slots=True)
class PolicyLog:
    """A log whose checkpoints count, and where it is served."""

    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True, slots=True)
class PolicyWitness:
    """A witness under the name that the policy gives it; its key has a name of its own."""

    name: str
    key: CosignerKey
    url: str | None = None


@dataclass(frozen=True, slots=True)
class UncountedWitness:
    """A witness whose key is of a type that we cannot verify: it may be named, and never counts."""

    name: str
    key: UnknownKey
    url: str | None = None


@dataclass(frozen=True, slots=True)
class WitnessGroup:
    """So many of these members, which are witnesses and groups."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PolicyVerdict:
    """A checkpoint that the policy accepts, and who vouches for it."""

    checkpoint: CheckpointBody
    cosigned: tuple[Cosigned, ...]

    @property
    def witnesses(self) -> tuple[str, ...]:
        """The names of those that count."""
        return tuple(one.witness for one in self.cosigned)


@dataclass(frozen=True, slots=True)
class WitnessPolicy:
    """A parsed policy. Names are kept as the octets of the file, undecodable ones escaped."""

    logs: tuple[PolicyLog, ...] = ()
    witnesses: tuple[PolicyWitness, ...] = ()
    groups: tuple[WitnessGroup, ...] = ()
    uncounted: tuple[UncountedWitness, ...] = ()
    quorum: str | None = None
    """The witness or group that must have cosigned; None if the log's signature is enough."""
    times: TimeBounds | None = None
    """When a cosignature counts, by its reader's clock; None where times are not judged."""

    def within(self, times: TimeBounds) -> "WitnessPolicy":
        """Return the policy of a reader for whom cosignatures of other times do not count."""
        return replace(self, times=times)

    def quorum_met(self, names: Collection[str]) -> bool:
        """Return whether cosignatures of exactly these witnesses are enough."""
        met = {witness.name for witness in self.witnesses} & set(names)
        for group in self.groups:  # each refers to earlier ones only
            if sum(member in met for member in group.members) >= group.threshold:
                met.add(group.name)
        return self.quorum is None or self.quorum in met

    def counted(self, verified: Iterable[Signature]) -> tuple[tuple[Cosigned, ...], str]:
        """Return the witnesses whose verified lines count, and the end of a sentence on others.

        The latter names who does not count and why: no time or one out of bounds, a key that cannot
        be verified here; "" if there is none.
        """
        lines: dict[tuple[str, bytes], Signature] = {}
        for line in verified:  # of several by one key the first counts
            lines.setdefault((line.name, line.key_id), line)
        found, late = [], []
        for witness in self.witnesses:
            signed = lines.get((witness.key.name, witness.key.key_id))
            if signed is None:
                continue
            if not says_when(signed.signature):
                late.append(f"{witness.name}, which says no time")
                continue
            one = Cosigned(witness.name, timestamp_of(signed.signature))
            if fault := self.times.fault(one.seconds) if self.times is not None else "":
                late.append(f"{one}, {fault}")
            else:
                found.append(one)
        said = f"; not counted: {'; '.join(late)}" * bool(late)
        return tuple(found), said + self._uncountable()

    def _uncountable(self) -> str:
        """Return the end of a sentence that names the witnesses that cannot count, "" for none."""
        lacking = [one.name for one in self.uncounted if one.key.type == MLDSA_COSIGNATURE]
        unknown = [one.name for one in self.uncounted if one.name not in lacking]
        said = {
            "the package cryptography that is installed has no ML-DSA-44 for their keys": lacking,
            "their keys are of a type unknown here": unknown,
        }
        ends = (
            f"; not counted, for {why}: {', '.join(names)}" for why, names in said.items() if names
        )
        return "".join(ends)

    def check(self, note: bytes) -> PolicyVerdict:
        """Return what the policy accepts, or raise NoteError.

        A false signature under the name of any listed key refuses the note, even if it would be
        accepted without that line.
        """
        keys: list[NoteVerifier] = [
            *(log.key for log in self.logs),
            *(witness.key for witness in self.witnesses),
        ]
        opened = open_note(note, keys)
        checkpoint = parse_checkpoint(opened.text)
        verified = {(line.name, line.key_id) for line in opened.verified}
        if not any(
            log.key.name == checkpoint.origin and (log.key.name, log.key.key_id) in verified
            for log in self.logs
        ):
            raise UnverifiedNoteError("no log of the policy has signed the checkpoint")
        cosigned, others = self.counted(opened.verified)
        if not self.quorum_met([one.witness for one in cosigned]):
            names = ", ".join(map(str, cosigned)) or "no witness"
            raise QuorumError(f"the quorum {self.quorum} is not met: cosigned by {names}{others}")
        return PolicyVerdict(checkpoint, cosigned)


def parse_policy(data: bytes) -> WitnessPolicy:
    """Return the policy in a file; PolicyError unless it keeps every rule of the format."""
    if len(data) > POLICY_BYTES_MAX:
        raise PolicyError(f"a policy is at most {POLICY_BYTES_MAX} bytes long")
    if _FOREIGN_OCTET.search(data):
        raise PolicyError("a policy has no control characters but tabs and newlines")
    reader = _Reader()
    for number, line in enumerate(data.decode(errors="surrogateescape").split("\n"), 1):
        fields = [field for field in re.split("[ \t]+", line) if field]
        if not fields or fields[0].startswith("#"):
            continue
        try:
            reader.read(fields)
        except ValueError as error:
            raise PolicyError(f"line {number}: {error}") from error
    return reader.policy()


class _Reader:
    """The definitions in the lines read so far."""

    def __init__(self) -> None:
        self._logs: list[PolicyLog] = []
        self._witnesses: list[PolicyWitness] = []
        self._uncounted: list[UncountedWitness] = []
        self._groups: list[WitnessGroup] = []
        self._names: set[str] = set()
        self._members: set[str] = set()
        self._quorums: list[str] = []

    def read(self, fields: list[str]) -> None:
        """Take in one line, split at its separators; ValueError says what is wrong with it."""
        match fields:
            case ["log", vkey, *url] if len(url) <= 1:
                self._read_log(vkey, *url)
            case ["witness", name, vkey, *url] if len(url) <= 1:
                self._read_witness(name, vkey, *url)
            case ["group", name, threshold, *members] if members:
                self._read_group(name, threshold, members)
            case ["quorum", name]:
                if name != _NONE and name not in self._names:
                    raise ValueError("the quorum is not a witness or group of an earlier line")
                self._quorums.append(name)
            case _:
                raise ValueError("no line of a policy is written like this")

    def policy(self) -> WitnessPolicy:
        """Return the whole policy; PolicyError unless it has exactly one quorum."""
        if len(self._quorums) != 1:
            raise PolicyError("a policy has exactly one quorum line")
        (quorum,) = self._quorums
        return WitnessPolicy(
            tuple(self._logs),
            tuple(self._witnesses),
            tuple(self._groups),
            tuple(self._uncounted),
            None if quorum == _NONE else quorum,
        )

    def _read_log(self, vkey: str, url: str | None = None) -> None:
        key = VerifierKey.parse(vkey)
        if key.type != ED25519:
            raise KeyFormatError("a log signs with a key of type 0x01")
        if any(key.public_key == log.key.public_key for log in self._logs):
            raise ValueError("this log key is listed twice")
        self._logs.append(PolicyLog(key, url))

    def _read_witness(self, name: str, vkey: str, url: str | None = None) -> None:
        unknown = parse_unknown(vkey)
        if unknown is not None:
            if any(unknown.public_key == other.key.public_key for other in self._uncounted):
                raise ValueError("this witness key is listed twice")
            self._define(name)
            self._uncounted.append(UncountedWitness(name, unknown, url))
            return
        key = CosignerKey.parse(vkey)
        public_key = key.verifier_key.public_key
        # One witness under two names would count twice.
        if any(public_key == other.key.verifier_key.public_key for other in self._witnesses):
            raise ValueError("this witness key is listed twice")
        self._define(name)
        self._witnesses.append(PolicyWitness(name, key, url))

    def _read_group(self, name: str, threshold: str, members: list[str]) -> None:
        for member in members:
            if member not in self._names:
                raise ValueError("a member is not a witness or group of an earlier line")
            if member in self._members:
                raise ValueError("a member belongs to one group, once")
            self._members.add(member)
        counts = {"any": 1, "all": len(members)}
        if threshold not in counts and not _THRESHOLD.fullmatch(threshold):
            raise ValueError("a threshold is any, all or a number from 1 on")
        count = counts.get(threshold) or int(threshold)
        if count > len(members):
            raise ValueError("a threshold is no greater than the number of members")
        self._define(name)
        self._groups.append(WitnessGroup(name, count, tuple(members)))

    def _define(self, name: str) -> None:
        """Take a name, which witnesses and groups share."""
        if name == _NONE or name in self._names:
            raise ValueError("the name is taken")
        self._names.add(name)
