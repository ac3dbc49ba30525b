"""Bundles of every kind, and how the verifier is called on them in tests."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.chained import Chained, log_key, small_chained
from tests.verifier.both import Alone, Opened, Refusal
from tests.verifier.writing import load_tool, write_bundle

TOOL = load_tool()
KINDS = ("full", "range", "stream")
POLICY = f"log {log_key(1).vkey}\nquorum none\n".encode()

Verify = Callable[..., dict[str, Any]]
Refuse = Callable[..., Any]


@pytest.fixture
def ledger() -> Chained:
    return small_chained()


@pytest.fixture
def verify() -> Verify:
    """Return a function that verifies a bundle with the first key, and raises the Fault."""

    def call(path: Path, vkeys: Sequence[str] = (), policy: bytes = b"") -> dict[str, Any]:
        lines = "".join(f"log {vkey}\n" for vkey in vkeys) + "quorum none\n"
        found: dict[str, Any] = TOOL.verify(
            path, [policy or (lines.encode() if vkeys else POLICY)], 1
        )
        return found

    return call


@pytest.fixture
def refuse(verify: Verify) -> Refuse:
    """Return a function that requires a refusal, and returns its (file, line, position, text)."""

    def call(path: Path, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as verify
        with pytest.raises(TOOL.Fault) as caught:
            verify(path, *args, **kwargs)
        what, _, _, file, line, position = [*caught.value.args, *[None] * 5][:6]
        assert what
        return file, line, position, str(caught.value)

    return call


@pytest.fixture(params=KINDS)
def bundle(request: pytest.FixtureRequest, ledger: Chained, tmp_path: Path) -> Path:
    """A small honest bundle of each kind."""
    return write_kind(request.param, ledger, tmp_path / "bundle")


def write_kind(kind: str, ledger: Chained, folder: Path) -> Path:
    """Write a bundle of a kind from the small ledger."""
    match kind:
        case "full":
            return write_bundle(folder, ledger, withheld={6: "asked for", 7: "asked for"})
        case "range":
            return write_bundle(folder, ledger, span=(3, 10), withheld={4: "erased"})
        case _:
            return write_bundle(folder, ledger, stream="models/m1", seal=9, withheld={7: "no"})


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Alone:
    """What the stand-alone verifier says of files in memory, or its refusal, as a function."""
    known: dict[Any, bool] = {}
    slow = TOOL.ed25519_verify

    def once(*triple: bytes) -> bool:
        if triple not in known:
            known[triple] = slow(*triple)
        return known[triple]

    def said(bundle: Opened, policies: Sequence[bytes] = (POLICY,)) -> Refusal | dict[str, Any]:
        files = {name: (lambda name=name: bundle.open(name)) for name in bundle.files}
        monkeypatch.setattr(TOOL, "files_of", lambda path: files)
        try:
            found: dict[str, Any] = TOOL.verify(Path("bundle"), policies, 1)
        except TOOL.Fault as fault:
            file, line = [*fault.args, None, None, None][3:5]
            return file, line, str(fault)
        return found

    monkeypatch.setattr(TOOL, "ed25519_verify", once)
    return said
