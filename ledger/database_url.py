"""URLs of databases as they may be shown, and those refused of which a secret could be shown.

A driver says in its errors which host, port or parameter it did not understand. Where a password is
written wrongly, that is a part of the password: so such a URL never reaches the driver.
"""

import re
from collections.abc import Iterator
from typing import Final

from ledger.errors import invalid_field

_SHOWN: Final = frozenset({"dbname", "host", "hostaddr", "port", "sslmode", "sslrootcert", "user"})
_SECRET: Final = re.compile(r"(?:^|[?&\s])(?:ssl)?password\s*=\s*[^&\s]")
_UNFINISHED: Final = re.compile(  # the scheme without its slashes, and the driver's own form
    r"postgres(?:ql)?(?:\+\w*)?:(?!//)"
    r"|(?=.*\b(?:host|hostaddr|dbname|user)\s*=).*\bpassword\s*=",
    re.DOTALL,
)
_NAME: Final = re.compile(r"[^:/?#&=@]*")
_HOST: Final = re.compile(r"(?:\[[^\[\]]*\]|[^:\[\]]*)(?::[0-9]{0,5})?")
_ESCAPE: Final = re.compile(r"%(?![0-9a-fA-F]{2})")
_WRITTEN: Final = (
    "In a URL, @ is written as %40, / as %2F, ? as %3F and % as %25. Better: leave the password to "
    "a file that only you may read (PGPASSFILE)."
)


def shown(place: str) -> str:
    """Return a path or URL as it may be shown: without a password, and without unknown values.

    Of a URL that is malformed nothing is shown: a password may be anywhere in it.
    """
    scheme, separator, rest = place.partition("://")
    if not separator or _is_sqlite(scheme):
        return place
    if next(_faults(rest), ""):
        return f"{scheme}://..."
    before, _, after = rest.rpartition("@")
    user = before.partition(":")[0]
    named = f"{user}@" if user and _NAME.fullmatch(user) else ""
    where, _, query = after.partition("?")
    kept = "&".join(one for one in query.split("&") if one.partition("=")[0] in _SHOWN)
    return f"{scheme}://{named}{where}{'?' if kept else ''}{kept}"


def has_password(place: str) -> bool:
    """Whether a text is a URL that holds a password, or looks like one that was to be."""
    scheme, separator, rest = place.partition("://")
    if separator:
        password = rest.rpartition("@")[0].partition(":")[2]
        return not _is_sqlite(scheme) and bool(password or _SECRET.search(rest))
    return _UNFINISHED.match(place) is not None and bool("@" in place or _SECRET.search(place))


def refuse_malformed(place: str) -> None:
    """Refuse a URL that a driver would take for another than was meant; FIELD_INVALID, no text.

    A path passes, unless it was to be a URL.
    """
    scheme, separator, rest = place.partition("://")
    if not separator and has_password(place):
        raise invalid_field(
            "database",
            "it is neither a path nor a URL, and seems to hold a password",
            remedy="Write postgresql://USER@HOST/NAME.",
        )
    if separator and not _is_sqlite(scheme):
        for fault in _faults(rest):
            raise invalid_field("database", f"its URL cannot be read: {fault}", remedy=_WRITTEN)


def _faults(rest: str) -> Iterator[str]:
    """Yield what is wrong with what follows `://`, without quoting any of it."""
    authority = re.split(r"[/?]", rest, maxsplit=1)[0]
    path, _, query = rest.removeprefix(authority).partition("?")
    before, at, hosts = authority.rpartition("@")
    if "@" in before or "@" in path:
        yield "there is more than one @, or one behind a /"
    if at and not all(map(str.isprintable, before)):
        yield "user or password hold a character that does not belong into a URL"
    if not all(_HOST.fullmatch(host) for host in hosts.split(",")):
        yield "a port is no number"
    if any(_ESCAPE.search(part) for part in (before, hosts, path, query)):
        yield "a % is not followed by two hexadecimal digits"
    if any(pair.count("=") != 1 for pair in query.split("&") if query):
        yield "a parameter is not NAME=VALUE"


def _is_sqlite(scheme: str) -> bool:
    return scheme.partition("+")[0] == "sqlite"
