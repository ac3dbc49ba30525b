"""A record that is printed shows its hashes as every other output does: in hexadecimal.

Method: every dataclass of the client that has hashes is made of plain values and shown.
"""

import dataclasses
from typing import Any, get_type_hints

import pytest

from ledger.client import authority, proofs, ranking, records
from ledger.client.trust import results

HASH = bytes(range(32))
CONTENT = {"body", "content"}
RECORDS = [
    cls
    for module in (authority, proofs, ranking, records, results)
    for cls in vars(module).values()
    if dataclasses.is_dataclass(cls) and isinstance(cls, type) and cls.__module__ == module.__name__
]


def hashes_of(cls: type[Any]) -> list[str]:
    hints = get_type_hints(cls)
    return [name for name, hint in hints.items() if "bytes" in str(hint) and name not in CONTENT]


def shown(cls: type[Any]) -> str:
    hints = get_type_hints(cls)
    values = {name: (HASH,) if "tuple" in str(hints[name]) else HASH for name in hashes_of(cls)}
    others = {field.name: None for field in dataclasses.fields(cls) if field.name not in values}
    return repr(cls(**values, **others))


@pytest.mark.parametrize("cls", [one for one in RECORDS if hashes_of(one)])
def test_a_record_shows_its_hashes_in_hexadecimal(cls: type[Any]) -> None:
    text = shown(cls)
    assert text.count(HASH.hex()) == len(hashes_of(cls))
    assert "b'" not in text
    assert text.startswith(f"{cls.__qualname__}(")


def test_most_records_that_answer_a_call_were_looked_at() -> None:
    assert {"Appended", "Checkpoint", "Event", "InclusionProof", "Ledger", "AuditReport"} <= {
        cls.__name__ for cls in RECORDS if hashes_of(cls)
    }
    assert "event_hash=0001" in shown(records.Appended)
