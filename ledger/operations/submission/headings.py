"""Names of fields in files that other programs wrote: taken, mapped, or refused with a proposal."""

from collections.abc import Mapping, Sequence
from typing import Final

from ledger.client.observation_details import KEYS
from ledger.operations.failures import MisuseError

FIELDS: Final = ("model", "signal", "value", "observed_at", "model_version", "sample_size")
REQUIRED: Final = FIELDS[:3]
DETAILS: Final = KEYS
"""Fields of a row beyond those: what it says beyond its value, and which one it corrects."""
DELIMITERS: Final = (",", ";", "\t", "|")

_ALSO_CALLED: Final = {
    "model": ("model_id", "model_name", "modelid"),
    "signal": ("metric", "metric_name", "measure"),
    "value": ("metric_value", "score", "val"),
    "observed_at": ("timestamp", "time", "datetime", "date", "ts", "event_time", "observed"),
    "model_version": ("version", "model_ver"),
    "sample_size": ("n", "count", "rows", "samples", "size", "n_rows"),
}


class FieldMap:
    """Which field each name of an input means: `--map` first, then the fields' own names."""

    def __init__(self, mapping: Mapping[str, str] | None = None) -> None:
        self._mapping = dict(mapping or {})
        self._known: dict[str, str] = {}

    def field(self, name: str) -> str | None:
        """Return the field that a name means, in any case of letters; None for none."""
        known = self._known.get(name)
        if known is None:
            bare = name.strip()
            own = bare.lower() if bare.lower() in {*FIELDS, *DETAILS} else ""
            known = self._known[name] = self._mapping.get(bare, own)
            if len(self._known) > 10_000:  # a file of ever new names must not fill memory
                self._known.clear()
        return known or None

    def fields(self, names: Sequence[str], place: str) -> list[str]:
        """Return the field of each name; MisuseError proposes a `--map` for those that are none."""
        found = [self.field(name) for name in names]
        if unknown := [name for name, field in zip(names, found, strict=True) if field is None]:
            free = [field for field in FIELDS if field not in found]
            shown = ", ".join(repr(name[:40]) for name in unknown[:6])
            is_one = len(unknown) == 1
            raise MisuseError(
                f"{place}: {shown} {'is not a field' if is_one else 'are not fields'}.",
                f"Use {', '.join(FIELDS)}, or say which they are: --map {_proposal(unknown, free)}",
            )
        stated = [field for field in found if field is not None]
        if len(set(stated)) != len(stated):
            twice = next(field for field in stated if stated.count(field) > 1)
            raise MisuseError(
                f"{place}: {twice} is named by a column twice.", f"It was: {','.join(names)[:200]}."
            )
        return stated


def _proposal(unknown: Sequence[str], free: Sequence[str]) -> str:
    pairs = []
    for name in unknown[:6]:
        bare = name.strip().lower().replace(" ", "_")
        field = next((one for one in free if bare in _ALSO_CALLED[one]), "FIELD")
        pairs.append(f"{name.strip()[:40]}={field}")
    return ",".join(pairs)


def mapping_of(text: str) -> dict[str, str]:
    """Return what `--map Timestamp=observed_at,N=sample_size` says; MisuseError for other text."""
    found: dict[str, str] = {}
    for pair in filter(None, text.split(",")):
        name, equals, field = pair.partition("=")
        if not equals or field.strip() not in {*FIELDS, *DETAILS} or not name.strip():
            raise MisuseError(
                f"--map: {pair[:80]!r} is not of the form NAME=FIELD.",
                f"The fields are {', '.join(FIELDS)}.",
            )
        found[name.strip()] = field.strip()
    return found


def delimiter_of(text: str) -> str:
    """Return the one character between cells that `--delimiter` names."""
    chosen = {"tab": "\t", "\\t": "\t"}.get(text, text)
    if chosen not in DELIMITERS:
        raise MisuseError(f"--delimiter: {text[:40]!r} is not one of `,`, `;`, `|` and `tab`.")
    return chosen


def check_heading(heading: Sequence[str], delimiter: str) -> None:
    """Refuse a first line that shows that the file is of another make, with what to do."""
    others = [one for one in DELIMITERS if one != delimiter and one in heading[0]]
    if len(heading) == 1 and others:
        found = "tab" if others[0] == "\t" else others[0]
        raise MisuseError(
            f"The first line has {found!r} between its columns, where {delimiter!r} is expected.",
            f"Read it with --delimiter '{found}'; numbers have a decimal point, not a comma.",
        )
    if "" in [name.strip() for name in heading]:
        at = [name.strip() for name in heading].index("") + 1
        index = ", as the index of a DataFrame has none" if at == 1 else ""
        raise MisuseError(
            f"Column {at} has no name{index}.",
            "Write the file without it (`to_csv(..., index=False)`), or cut it off: "
            f"`cut -d'{delimiter}' --complement -f{at} FILE`.",
        )
