"""The result as a table for people and as JSON for programs."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from tools.bench.rows import Row


def document(machine: Mapping[str, Any], scale: float, rows: Sequence[Row]) -> str:
    """Return the result as one JSON document."""
    data = {"machine": machine, "scale": scale, "rows": [row.to_data() for row in rows]}
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def show(console: Console, machine: Mapping[str, Any], scale: float, rows: Sequence[Row]) -> None:
    """Print the table, and above it what it was measured on."""
    console.print(
        f"{machine['processor']}, {machine['cores']} cores; {machine['system']}; "
        f"{machine['python']}; SQLite {machine['sqlite']}; grpcio {machine['grpcio']}\n"
        f"fsync {machine['fsync_median_ms']} ms (p99 {machine['fsync_p99_ms']} ms); "
        f"counts × {scale:g}",
        highlight=False,
    )
    table = Table()
    for name in ("what", "measured", "target", "met", "peer", "peer's", "ratio", "load"):
        is_number = name in {"measured", "target", "peer's", "ratio", "load"}
        table.add_column(name, justify="right" if is_number else "left")
    section = name = ""
    for row in rows:
        if section and row.section != section:
            table.add_section()
        is_same = row.section == section and row.name == name
        section, name = row.section, row.name
        table.add_row(*(("", "", "", "") if is_same else _figure(row)), *_peer(row))
    console.print(table)
    for text in dict.fromkeys(f"{row.name}: {row.note}" for row in rows if row.note):
        console.print(text, style="dim", highlight=False)


def _figure(row: Row) -> tuple[str, str, str, str]:
    target = ""
    if row.target is not None:
        target = ("≥ " if row.target.bound == "at least" else "≤ ") + number(row.target.value)
    met = {True: "[green]yes[/]", False: "[red]no[/]", None: ""}[row.is_met]
    return row.name, f"{number(row.measured)} {row.unit}", target, met


def _peer(row: Row) -> tuple[str, str, str, str]:
    if row.peer is None:
        return "", "", "", f"{row.load:g}"
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    return row.peer.name, number(row.peer.measured), ratio, f"{row.load:g}"


def number(value: float) -> str:
    """Return a figure with three significant digits or all whole ones."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
