"""Known answers about canonical JSON (RFC 8785)."""

import json
import struct
from collections.abc import Callable

from tools.known_answers.primitives import Case, sha
from tools.known_answers.trees import Document, document

DOCUMENTS = {
    "empty": ("{ }", "{}"),
    "order": ('{"b": 1, "a": 2, "B": 3, "10": 4, "9": 5}', '{"10":4,"9":5,"B":3,"a":2,"b":1}'),
    "nested": ('[ {"b":[ ], "a":{ }} , null,true , false ]', '[{"a":{},"b":[]},null,true,false]'),
    "escapes": (
        r'{"a": "\u0000\u0008\u0009\u000a\u000c\u000d\u001f\"\\\/\u007f"}',
        '{"a":"\\u0000\\b\\t\\n\\f\\r\\u001f\\"\\\\/\x7f"}',
    ),
    "letters": (r'{"a": "\u00e9\u20ac\ud83d\ude02"}', '{"a":"\u00e9\u20ac\U0001f602"}'),
    "integers": (
        "[0, 7, -1, 9007199254740991, -9007199254740991]",
        "[0,7,-1,9007199254740991,-9007199254740991]",
    ),
    "names-by-utf-16": (
        '{"\\ufb33": 1, "\\ud83d\\ude02": 2, "\\u00e9": 3, "z": 4}',
        '{"z":4,"\u00e9":3,"\U0001f602":2,"\ufb33":1}',
    ),
    "fraction": ("[1.50, 2e-3, 1E30]", "[1.5,0.002,1e+30]"),
}
NUMBERS = {
    0.0: "0",
    0.5: "0.5",
    -1.25: "-1.25",
    1e21: "1e+21",
    1e-7: "1e-7",
    5e-324: "5e-324",
    1.7976931348623157e308: "1.7976931348623157e+308",
    float("inf"): None,
}


def canonical() -> Document:
    """Return documents and numbers with the one way to write them."""
    cases: list[Case] = []
    for name, (text, wanted) in DOCUMENTS.items():
        assert json.loads(text) == json.loads(wanted)
        told = {"kind": "document", "input": text, "canonical": wanted}
        digest = sha(wanted.encode()).hex()
        cases.append({"id": f"own-{name}", **told, "canonical_sha256": digest})
    for number, shortest in NUMBERS.items():
        bits = struct.pack(">d", number).hex()
        told_number = {"kind": "number", "ieee754_hex": bits, "canonical": shortest}
        cases.append({"id": f"own-{bits}", **told_number})
    return document("Canonical JSON", cases)


FILES: dict[str, Callable[[], Document]] = {"jcs_rfc8785.json": canonical}
