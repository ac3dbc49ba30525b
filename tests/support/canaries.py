"""Secrets that can be found again: in a file, a text, a database, or what a process shows.

A secret is looked for as it is and in each form that a program may give it on its way: hexadecimal,
base64, percent-encoded, as JSON or Python writes bytes.
"""

import base64
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import psycopg


def forms(secret: str | bytes) -> set[bytes]:
    """Return every form in which a secret is looked for."""
    raw = secret.encode() if isinstance(secret, str) else secret
    plain = base64.b64encode(raw)
    found = {raw, raw.hex().encode(), raw.hex().upper().encode(), repr(raw)[2:-1].encode()}
    found |= {part.rstrip(b"=") for part in (plain, base64.urlsafe_b64encode(raw))}
    found.add(quote(raw, safe="").encode())
    return found


def traces(secrets: Mapping[str, str | bytes], places: Iterable[tuple[str, bytes]]) -> list[str]:
    """Return each secret that is found in a place, by name, with the place."""
    wanted = {name: forms(secret) for name, secret in secrets.items()}
    return [
        f"{name} in {place}"
        for place, held in places
        for name, those in wanted.items()
        if any(form in held for form in those)
    ]


def files_under(folder: Path, *, without: Iterable[Path] = ()) -> Iterator[tuple[str, bytes]]:
    """Yield every file below a folder with what it holds, but those that are to hold a secret."""
    left_out = set(without)
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path not in left_out:
            yield str(path.relative_to(folder)), path.read_bytes()


def tables_of(url: str) -> Iterator[tuple[str, bytes]]:
    """Yield every table of a PostgreSQL database, as the server sends its rows."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        names = connection.execute(
            "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
        for (name,) in names:
            with connection.cursor().copy(f"COPY {name} TO STDOUT (FORMAT BINARY)") as rows:
                yield name, b"".join(bytes(part) for part in rows)


def processes_below(pid: int) -> Iterator[int]:
    """Yield every process that one has started, and those that they have."""
    for child in Path(f"/proc/{pid}/task").glob("*/children"):
        for one in map(int, child.read_text("ascii").split()):
            yield one
            yield from processes_below(one)


def shown_by(pid: int, *, environment: bool) -> Iterator[tuple[str, bytes]]:
    """Yield what a process shows of itself: its arguments to everybody, its environment to some."""
    for name in ("cmdline", "environ") if environment else ("cmdline",):
        yield f"{name} of process {pid}", Path(f"/proc/{pid}/{name}").read_bytes()
