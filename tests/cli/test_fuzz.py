"""No file, setting, address or option is a crash: each is understood or refused in a sentence.

Method: every parser that the command line has, fed with mutations of good examples: bytes flipped,
cut and doubled, nested too deeply, numbers too long, text of other languages. Whatever a parser
raises must be what the command line ends with in a sentence; anything else is a defect. The quick
suite tries some hundreds of each, the slow one 100,000 in all.
"""

import random  # noqa: TID251 - always from a seed
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from ledger.api.listening import bound
from ledger.application.policies.lint import lint
from ledger.application.signing.published_checkpoints import read_policy, read_published
from ledger.application.witnesses.calls import WitnessCallError, WitnessCalls
from ledger.audit.state_file import AuditStateFile
from ledger.chain.checkpoint import parse as parse_checkpoint
from ledger.chain.cosignature import CosigningKey
from ledger.chain.keys import KeyFormatError, VerifierKey
from ledger.chain.note import NoteError
from ledger.chain.note import parse as parse_note
from ledger.chain.policy import PolicyError, parse_policy
from ledger.chain.proof_text import parse as parse_proof
from ledger.cli import decisions, values
from ledger.cli.session import hoisted
from ledger.client.errors import ClientError, TrustFileError
from ledger.client.inputs import NoTimeError, micros_of_text
from ledger.client.target import address_of
from ledger.client.trust.store import TrustStore
from ledger.clock import SystemClock
from ledger.errors import LedgerError
from ledger.events.canonical import CanonicalError, decode
from ledger.export.lines import LineError, parse_line
from ledger.export.receipt import ReceiptError, verify_receipt
from ledger.operations.erasure import ranges_of
from ledger.operations.failures import MisuseError
from ledger.operations.places import named_text
from ledger.operations.submission import headings
from ledger.operations.submission.rows import read
from ledger.operations.witness import host_and_port
from ledger.settings import SettingsError, documented, load
from ledger.storage.database import open_database
from ledger.storage.vault import Vault, VaultError
from ledger.witness.key_file import load_key
from tests.support.hooks import known_of
from tests.support.stores import ORIGIN

ALL = 100_000
QUICK = 150
VKEY = "ledger.example.com/fraud+0b1d0a1a+ASKyVfJhZ3Z6jAgI0m2GCZr0Q3p1sKz2vV3bXo1n8r8E"
ROOT = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
NOTE = f"{ORIGIN}\n12\n{ROOT}\n\n\u2014 {ORIGIN} Cx0KGkRlYWRiZWVm\n"
PROOF = f"c2sp.org/tlog-proof@v1\nindex 3\n{ROOT}\n\n{NOTE}".encode()
POLICY = (Path(__file__).parents[1] / "application" / "default_policy.yaml").read_text("utf-8")
ROWS = (
    b'{"model": "fares", "signal": "log-loss", "value": 0.412, "observed_at": '
    b'"2026-03-01T10:00:00Z", "sample_size": 40}\n{"model": "m", "signal": "s", "value": -1e-3}\n'
)
CSV = b'model,signal,value,observed_at,sample_size\nfares,"log-loss",0.5,1772712000000ms,40\n'
TREE = b'{"checkpoint": 1, "format": "x", "a": [1, -2.5e3, null, true, {"b": "c"}], "d": "\\u00e9"}'
TRUST = (
    b'{"format": "ledger-trust/1", "servers": {"a:1": "o"}, "ledgers": {"o": '
    b'{"pinned": true, "keys": [], "checkpoint": ""}}}'
)
STATE = b'{"audit-state/1": {"o": {"verified": {"size": 1, "root": "00", "vkeys": []}}}}'
TOML = b'[server]\naddress = "127.0.0.1:50051"\n[storage]\ndatabase = "ledger.sqlite"\n[client]\n'


Refusals = tuple[type[Exception], ...]


@dataclass(frozen=True)
class Parser:
    """One way in: good examples, what reads them, and what it may raise."""

    examples: tuple[bytes, ...]
    parse: Callable[[bytes, Path], Any]
    refusals: Refusals


def text_of(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def of_text(
    parse: Callable[[str], Any], refusal: type[Exception], *examples: str, more: Refusals = ()
) -> Parser:
    """A parser of an option or a line of text."""
    encoded = tuple(one.encode() for one in examples)
    return Parser(encoded, lambda data, _: parse(text_of(data)), (refusal, *more))


def of_file(
    parse: Callable[[Path], Any], refusal: type[Exception], *examples: bytes, more: Refusals = ()
) -> Parser:
    """A parser of a file."""

    def run(data: bytes, folder: Path) -> None:
        path = folder / "input"
        path.write_bytes(data)
        path.chmod(0o600)
        parse(path)

    return Parser(examples, run, (refusal, *more))


def rows(form: str) -> Callable[[bytes, Path], list[Any]]:
    return lambda data, _: list(read(BytesIO(data), form, None))


def now() -> datetime:
    return datetime(2026, 3, 1, tzinfo=UTC)


def setting(text: str) -> None:
    """Read a setting from the environment, each of them in turn."""
    names = [variable for variable, _, _ in documented()]
    name = names[len(text) % len(names)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(name, text.replace("\0", "").encode("utf-8", "replace").decode())
        load(None)


def database(text: str) -> None:
    """Take a database's URL apart; nothing is connected to, and no file made."""
    if "://" in text and not text.lower().startswith(("postgresql", "sqlite")):
        open_database(text, read_only=True)


def known_request(path: Path) -> None:
    known_of(path)


PARSERS: dict[str, Parser] = {
    "rows as JSON lines": Parser((ROWS,), rows("jsonl"), (MisuseError,)),
    "rows as CSV": Parser((CSV,), rows("csv"), (MisuseError,)),
    "rows of either form": Parser((CSV, ROWS, b"[]"), rows("auto"), (MisuseError,)),
    "--map": of_text(headings.mapping_of, MisuseError, "Timestamp=observed_at,N=sample_size"),
    "--delimiter": of_text(headings.delimiter_of, MisuseError, "tab", ";"),
    "a time of an observation": of_text(
        micros_of_text, NoTimeError, "2026-03-01T10:00:00.123456Z", "1772712000s", "-5.25ms"
    ),
    "a moment": of_text(
        lambda text: values.parse_moment(text, "--at", now),
        MisuseError,
        "yesterday",
        "7d",
        "1h30m",
        "12345",
        "2026-03-01T10:00:00Z",
    ),
    "a share": of_text(lambda text: values.share(text, "--impact"), MisuseError, "80%", "0.8"),
    "money": of_text(lambda text: values.money(text, "--cost"), MisuseError, "40", "99.50"),
    "a span": of_text(lambda text: values.seconds(text, "--x"), MisuseError, "1h30m", "7d"),
    "a label": of_text(lambda text: values.labels([text]), MisuseError, "team=red"),
    "positions": of_text(ranges_of, MisuseError, "1-5,7,9-12", more=(LedgerError,)),
    "a hash": of_text(lambda text: values.hash_of(text, "--x"), MisuseError, "0a" * 32),
    "a name of a decision": of_text(decisions.position_of, MisuseError, "12", "m/7"),
    "a line of arguments": of_text(
        lambda text: hoisted(text.split(" ")), MisuseError, "model show m --json --server a:1 --"
    ),
    "a server's address": of_text(address_of, ValueError, "localhost:50051", "[::1]:7", "unix:/x"),
    "an address to listen at": of_text(
        partial(bound, has_tls=False), LedgerError, "127.0.0.1:50051", "[::1]:0"
    ),
    "a witness's address": of_text(host_and_port, MisuseError, "127.0.0.1:80"),
    "a witness's URL": of_text(WitnessCalls, WitnessCallError, "https://w.example:80/x?y#z"),
    "a database's URL": of_text(
        database, LedgerError, "mysql://user:word@host:3306/name?x=y", "postgres://[::1]:1/x"
    ),
    "a key": of_text(VerifierKey.parse, KeyFormatError, VKEY),
    "a witness's key": of_text(CosigningKey.parse, KeyFormatError, f"PRIVATE+KEY+{VKEY}"),
    "a master key": of_text(Vault.parse, VaultError, "0a" * 32),
    "a setting": of_text(setting, SettingsError, "127.0.0.1:1", "5", "true", '["users/a"]', "{}"),
    "a config file": of_file(load, SettingsError, TOML, b"[service]\nevaluate = true\n"),
    "a trust file": of_file(lambda path: TrustStore(path).known("o"), TrustFileError, TRUST),
    "an auditor's state": of_file(AuditStateFile, LedgerError, STATE),
    "an export asked for": of_file(
        known_request, MisuseError, b'{"asked": {}, "request_id": "r", "export": ""}'
    ),
    "a witness policy": of_file(
        lambda path: read_policy(str(path)),
        LedgerError,
        f"log {VKEY}\nwitness w {VKEY} https://w\ngroup g 1 w\nquorum g\n".encode(),
    ),
    "a published checkpoint": of_file(
        lambda path: read_published(str(path)), LedgerError, NOTE.encode()
    ),
    "a witness's key file": of_file(
        lambda path: load_key(path, None, SystemClock()),
        LedgerError,
        f"PRIVATE+KEY+{VKEY}\n".encode(),
    ),
    "a proof": of_file(
        lambda path: parse_proof(named_text(path)),
        MisuseError,
        PROOF,
        more=(ValueError,),
    ),
    "a checkpoint": Parser(
        (NOTE.encode(),), lambda data, _: parse_checkpoint(parse_note(data).text), (NoteError,)
    ),
    "a line of a bundle": Parser(
        (b'{"body":{"actor":"a"},"header":{"position":1}}\n',),
        lambda data, _: parse_line(data, ORIGIN),
        (LineError,),
    ),
    "canonical JSON": Parser((TREE,), lambda data, _: decode(data), (CanonicalError,)),
    "a receipt": Parser((TREE,), lambda data, _: verify_receipt(data), (ReceiptError,)),
    "a policy in YAML": of_text(lint, LedgerError, POLICY),
    "a policy of witnesses": Parser(
        (b"witness w x https://w\nquorum none\n",),
        lambda data, _: parse_policy(data),
        (PolicyError,),
    ),
}

_SPLICES = (
    b"[" * 5_000,
    b"{" * 3_000,
    b'{"a":' * 3_000,
    b"9" * 5_000,
    b"-" + b"1" * 4_301,
    b"1e999999999",
    b"a" * 70_000,
    b"NaN",
    b"-Infinity",
    b"null",
    b"\0",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\\ud800",
    "\u202e\u2028\U0001f600".encode(),
    "\u0661\u0663".encode(),
    b"\r\n",
    b'"',
    b"'",
    b"%",
    b":",
    b"//",
    b",",
    b"=",
    b"[]",
    b"{}",
    b"0",
    b"true",
)


def mutated(good: bytes, chance: random.Random) -> bytes:
    """Return a good example with one to four things done to it."""
    data = bytearray(good)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(6):
            case 0 if data:
                data[min(at, len(data) - 1)] = chance.randrange(256)
            case 1:
                del data[at : at + chance.randint(1, 20)]
            case 2:
                data[at:at] = data[chance.randrange(len(data) + 1) :][: chance.randint(1, 200)]
            case 3 | 4:
                data[at:at] = chance.choice(_SPLICES)
            case _:
                data[at : at + chance.randint(1, 8)] = chance.choice(_SPLICES)
    return bytes(data[:200_000])


def inputs(name: str, count: int) -> Iterator[bytes]:
    """Yield mutations, the same ones in every run, after the good examples themselves."""
    chance = random.Random(name)
    examples = PARSERS[name].examples
    yield from examples
    for _ in range(count):
        yield mutated(chance.choice(examples), chance)


def feed(name: str, count: int, folder: Path) -> None:
    parser = PARSERS[name]
    for data in inputs(name, count):
        try:
            parser.parse(data, folder)
        except parser.refusals as error:
            said = str(error)
        except Exception as error:
            raise AssertionError(f"{name}: {type(error).__name__} for {data[:300]!r}") from error
        else:
            continue
        assert len(said) < 2_000, f"{name}: an unbounded input is echoed for {data[:200]!r}"


@pytest.mark.parametrize("name", PARSERS)
def test_a_mutated_input_is_understood_or_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    feed(name, QUICK, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", PARSERS)
def test_a_hundred_thousand_mutated_inputs_find_no_crash(name: str, tmp_path: Path) -> None:
    feed(name, -(-ALL // len(PARSERS)), tmp_path)


def test_a_crash_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: a parser that crashes on depth alone is noticed by the quick counts."""
    import json

    broken = Parser((TREE,), lambda data, _: json.loads(data), (ValueError,))
    monkeypatch.setitem(PARSERS, "broken", broken)
    with pytest.raises(AssertionError, match="RecursionError"):
        feed("broken", QUICK, tmp_path)


def test_a_refusal_of_a_client_is_one_the_command_line_ends_with() -> None:
    assert issubclass(TrustFileError, ClientError)
