"""`decision-ledger policy review` and `policy sign-off`: the pack, and a signature under it."""

import json
import re
from pathlib import Path
from typing import Annotated, Final

import typer

from ledger.cli import output, values
from ledger.cli.policies import scope_of
from ledger.cli.policy_life import DIGITS_MIN
from ledger.cli.session import session
from ledger.operations.failures import MisuseError
from ledger.private import make_folder, write_whole

_NAMED: Final = re.compile(r"([a-z0-9][a-z0-9._-]*)(?:/([1-9][0-9]{0,6}))?", re.ASCII)
_Model = Annotated[str, typer.Option(help="As it is in force for this model only.")]
_Label = Annotated[
    list[str] | None, typer.Option(help="As it is in force for models with this KEY=VALUE.")
]


def review(
    policy: Annotated[
        str,
        typer.Argument(
            metavar="POLICY", help="A policy in force (`main`) or a version (`main/2`)."
        ),
    ],
    model: _Model = "",
    label: _Label = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="From the first event at or after this time."),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="To the last event at or before this time.")
    ] = None,
    as_of: Annotated[int, typer.Option(min=0, help="Up to this position; 0 for all.")] = 0,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write it as a page to this file.")
    ] = None,
) -> None:
    """Make the review pack of a policy in force: how its rules fared, silent sources, cost, drift.

    It is of the time since its last review there, or its activation, beside the period before. It
    is made of the events alone: equal events give an equal digest, which a signature names.
    """
    from ledger.compliance.review_pack import (
        pack_facts,
        pack_tables,
        pack_title,
        review_page,
        text_table,
    )

    chosen = session()
    name, version = named(policy, "POLICY")
    found = chosen.client.get_review_pack(
        name,
        version,
        scope=scope_of(model, label),
        since=None if since is None else values.parse_time(since, "--since"),
        until=None if until is None else values.parse_time(until, "--until"),
        as_of=as_of,
    )
    pack, unit = json.loads(found.canonical_json), chosen.unit_of_cost
    if html is not None:
        page = review_page(pack, found.digest, unit)
        make_folder(html.parent)
        write_whole(html, page)  # for its owner only: it names people
        output.say(f"Wrote {html}.")
    facts = list(pack_facts(pack, found.digest, unit))
    wide = max(len(name) for name, _ in facts)
    lines = [pack_title(pack), *(f"  {name:<{wide}}  {value}" for name, value in facts)]
    for table in pack_tables(pack):
        if table.rows:
            lines += ["", f"{table.title}:", *output.table(*text_table(table, unit)).split("\n")]
    shown = {"pack": pack, "digest": found.digest, "as_of": found.as_of}
    chosen.show(shown, output.lines(lines))


def named(text: str, option: str) -> tuple[str, int]:
    """Return the policy and version that a text names; version 0 where it names none."""
    match = _NAMED.fullmatch(text)
    if match is None:
        raise MisuseError(
            f"{option}: {text[:80]!r} names no policy.", "Write `main`, or `main/2` for a version."
        )
    return match[1], int(match[2] or 0)


def sign_off(
    policy: Annotated[str, typer.Argument(metavar="POLICY", help="Id of the policy.")],
    version: Annotated[int, typer.Argument(min=1, help="Number of the version in force.")],
    digest: Annotated[
        str, typer.Option(help="The digest of the pack that you read, 12 digits of it or more.")
    ],
    as_of: Annotated[int, typer.Option(min=1, help="The last position of that pack.")],
    reason: Annotated[str, typer.Option(help="Your findings; recorded for good.")],
    follow_up: Annotated[
        str,
        typer.Option(
            metavar="VERSION", help="The draft that follows it up: `main/3`. Else it stays."
        ),
    ] = "",
    model: _Model = "",
    label: _Label = None,
) -> None:
    """Sign the review of a version in force. By it you state: I have reviewed it by this pack.

    A person signs in a role that approves there, and never its author. The next review is due as
    long after this one as the policy says.
    """
    chosen, scope = session(), scope_of(model, label)
    draft = named(follow_up, "--follow-up") if follow_up else None
    if draft is not None and not draft[1]:
        raise MisuseError("--follow-up: it names no version.", "Write `main/3` for a version.")
    found = chosen.client.get_review_pack(policy, version, scope=scope, as_of=as_of)
    if len(digest) < DIGITS_MIN or not found.digest.startswith(digest):
        raise MisuseError(
            f"--digest: the pack as of position {as_of} has the digest {found.digest}.",
            f"Read that one by `policy review {policy} --as-of {as_of}`, then state its digest.",
        )
    appended = chosen.client.sign_off_policy(
        policy, version, found, reason, follow_up=draft, scope=scope
    )
    chosen.show(
        appended,
        f"Signed the review of {policy} version {version}, at position {appended.position}.",
    )
