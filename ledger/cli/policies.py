"""`decision-ledger policy …`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import output, values
from ledger.cli.moments import AsOf, moment_of
from ledger.cli.session import session
from ledger.events.inert import inert
from ledger.limits import DOCUMENT_BYTES_MAX
from ledger.operations.failures import MisuseError
from ledger.operations.places import named_text

if TYPE_CHECKING:
    from ledger.client.policy_scopes import PolicySchedule, PolicyScope
    from ledger.client.records import PolicyActivation, PolicyProblem, PolicyVersion

_Policy = Annotated[str, typer.Argument(metavar="POLICY", help="Id of the policy.")]
_File = Annotated[str, typer.Argument(metavar="FILE", help="YAML or JSON; `-` for standard input.")]
_Rationale = Annotated[str, typer.Option(help="Why; recorded for good.")]


def init(
    out: Annotated[
        Path | None, typer.Option("--output", help="Write to this new file instead.")
    ] = None,
    events: Annotated[
        int, typer.Option(min=1, help="Look at so many of the newest events.")
    ] = 500_000,
    signal: Annotated[
        list[str] | None,
        typer.Option(
            help="Without history: a defined signal, with its limits or those of its standard."
        ),
    ] = None,
    baseline: Annotated[
        list[str] | None, typer.Option(help="Its healthy value, for each --signal.")
    ] = None,
    critical: Annotated[
        list[str] | None, typer.Option(help="The value that must not be, for each --signal.")
    ] = None,
    reports_every: Annotated[
        str, typer.Option(metavar="SPAN", help="How often each --signal is reported: 1d.")
    ] = "1d",
) -> None:
    """Write a starting policy: fitted to the ledger's own history, or from stated limits.

    A proposal to edit, with a sentence about where each number is from. Nothing is recorded.
    """
    from ledger.operations.policy_fit import fitted_policy, stated_policy

    chosen = session()
    if signal or baseline or critical:
        limits = _limits(signal or [], baseline or [], critical or [])
        text = stated_policy(chosen.client, limits, _seconds(reports_every))
    else:
        with output.progress("Reading the history") as move:
            text = fitted_policy(chosen.client, events, move)
    if out is not None:
        try:
            with out.open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise MisuseError(f"{out} cannot be written: {error.strerror}.") from error
        output.say(f"Wrote {out}. Edit it, then run `decision-ledger policy lint {out}`.")
    if chosen.as_json:
        output.write_json({"document": text})
    elif out is None:
        output.write(text.rstrip("\n"))


def schema() -> None:
    """Print the JSON Schema of policies, by which editors complete and check their texts.

    Save it beside them, and let each begin with the line
    `# yaml-language-server: $schema=policy-schema.json`. It needs no server.
    """
    from ledger.operations.document_schemas import document_schema

    output.write(document_schema("policy"))


def _limits(
    signals: list[str], baselines: list[str], criticals: list[str]
) -> dict[str, tuple[int, int] | None]:
    """Return baseline and critical of each signal in nano; what is rounded is said.

    Where none are stated at all, each is None: the hints of its standard.
    """
    from ledger.events.values import nearest_decimal, parse_decimal
    from ledger.operations.submission.batches import rounded_said

    if signals and not baselines and not criticals:
        return dict.fromkeys(signals)
    if not len(signals) == len(baselines) == len(criticals) == len(set(signals)):
        raise MisuseError(
            "Each --signal needs one --baseline and one --critical.",
            "Write them in turn: --signal log-loss --baseline 0.4 --critical 0.6.",
        )
    limits: dict[str, tuple[int, int] | None] = {}
    rounded = 0
    for name, *stated in zip(signals, baselines, criticals, strict=True):
        try:
            nearest = [nearest_decimal(text) for text in stated]
        except ValueError as error:
            raise MisuseError(f"--baseline and --critical of {name}: {error}.") from error
        healthy, worst = (parse_decimal(text) for text, _ in nearest)
        limits[name] = (healthy, worst)
        rounded += sum(is_rounded for _, is_rounded in nearest)
    if rounded:
        output.say(rounded_said(rounded))
    return limits


def _seconds(span: str) -> int:
    seconds = values.seconds(span, "--reports-every")
    if not seconds:
        raise MisuseError(
            "--reports-every: 0 is not a time between two reports.", "Write it as 1d."
        )
    return seconds


def lint(
    file: _File,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse warnings too.")] = False,
) -> None:
    """Check a policy document as drafting would; exits with 1 if it could not be drafted.

    Each finding has its place, its code in brackets and its remedy. With --strict the exit is 1
    for warnings too, such as a rule that is never reached or a weight without a rationale.
    """
    chosen = session()
    found = chosen.client.lint_policy(read_document(file))
    summary = f"{file}: it can be drafted; digest {found.digest}." if found.valid else ""
    said = [*told_problems(file, found.problems), *found.bounds, summary]
    chosen.show(found, "\n".join(filter(None, said)))
    if not found.valid or (strict and found.problems):
        raise typer.Exit(1)


def draft(
    policy: _Policy,
    file: _File,
    rationale: _Rationale,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse warnings too.")] = False,
) -> None:
    """Record the next version of a policy; it is in force nowhere until activated."""
    chosen = session()
    made = chosen.client.draft_policy(policy, read_document(file), rationale, strict=strict)
    for line in told_problems(file, made.warnings):
        output.say(line)
    version = made.version
    said = f"Drafted {version.policy} version {version.version}, digest {version.digest}."
    chosen.show(made, said if chosen.as_json else f"{said} {_next_step(version)}")


def _next_step(version: "PolicyVersion") -> str:
    """Return the command by which a draft goes on: versions in force may ask for approvals."""
    named = (version.policy, version.version)
    asking = session().client.get_policy_status(*named).needs
    policy, number = named
    if asking:
        step = f"decision-ledger policy submit {policy} {number} --rationale …"
        return f"To have it approved, as {asking[0].policy} asks for: {step}"
    step = f"decision-ledger policy activate {policy} {number} --rationale …"
    return f"To bring it into force: {step}"


def activate(
    policy: _Policy,
    version: Annotated[int, typer.Argument(min=1, help="Number of the version.")],
    rationale: _Rationale,
    model: Annotated[str, typer.Option(help="In force for this model only.")] = "",
    label: Annotated[
        list[str] | None, typer.Option(help="In force for models with this KEY=VALUE; repeatable.")
    ] = None,
    digest: Annotated[str, typer.Option(help="Refuse unless the version has this digest.")] = "",
    emergency: Annotated[
        bool, typer.Option("--emergency", help="Without approvals; it must be ratified in time.")
    ] = False,
    at: Annotated[str, typer.Option(help="At this time, if it still may by then.")] = "",
    shadow: Annotated[
        int,
        typer.Option(min=0, help="From its shadow of this position, for that scope."),
    ] = 0,
) -> None:
    """Bring a version into force: for the whole ledger, one model, or models with labels."""
    chosen = session()
    scope = scope_of(model, label)
    effective = values.parse_time(at, "--at") if at else None
    if shadow and emergency:
        raise MisuseError("--emergency and --shadow exclude each other: it waits for no shadow.")
    if shadow:
        from ledger.cli.policy_shadows import scope_of_shadow

        scope = scope_of_shadow(policy, version, shadow, is_stated=bool(model or label))
    if emergency and at:
        raise MisuseError("--emergency and --at exclude each other: what can wait is approved.")
    if emergency:
        appended = chosen.client.activate_in_emergency(
            policy, version, rationale, scope=scope, digest=digest
        )
        chosen.show(
            appended,
            f"{policy} version {version} is in force, at position {appended.position}, until it "
            f"is ratified: `decision-ledger policy status {policy}` says what that takes.",
        )
        return
    appended = chosen.client.activate_policy(
        policy,
        version,
        rationale,
        scope=scope,
        digest=digest,
        effective_time=effective,
        shadow=shadow,
    )
    what = f"is to come into force at {at}" if at else "is in force"
    chosen.show(appended, f"{policy} version {version} {what}, at position {appended.position}.")


def scope_of(model: str, label: list[str] | None) -> "PolicyScope":
    """Return the scope that options name; the whole ledger for none."""
    from ledger.client import PolicyScope

    if model and label:
        raise MisuseError("--model and --label exclude each other: a scope is one or the other.")
    return PolicyScope(model=model, labels=values.labels(label))


def scope_text(scope: "PolicyScope | None") -> str:
    """Return a scope as sentences name it."""
    if scope is not None and scope.model:
        return f"model {scope.model}"
    if scope is not None and scope.labels:
        return "models with " + ", ".join(f"{k}={v}" for k, v in scope.labels.items())
    return "the whole ledger"


def show(
    policy: _Policy,
    version: Annotated[int, typer.Option(min=0, help="A version; 0 for the newest.")] = 0,
    as_of: AsOf = None,
) -> None:
    """Show a version of a policy as its document, with where it is in force and who answers."""
    chosen, then = session(), moment_of(as_of)
    found = chosen.client.get_policy(policy, version, as_of=then.time, as_of_position=then.position)
    one = found.version
    lines = [
        f"# {one.name}: {one.title}",
        f"# digest {one.digest}",
        f"# drafted {output.when(one.drafted_at)} by {one.author}: {one.rationale}",
    ]
    for each in found.policy.activations:
        if each.in_force:
            lines += _standing(each)
    lines += [f"# version {each.version} {to_come(each)}" for each in found.policy.schedules]
    lines += [f"# {inert(each)}" for each in one.bounds]
    chosen.show(found, "\n".join([*lines, one.document.rstrip("\n")]))


def _standing(activation: "PolicyActivation") -> Iterator[str]:
    """Yield that a version is in force for a scope, and who answers for it, as comments."""
    from ledger.operations.explanation import basis_of

    each = activation
    yield (
        f"# version {each.version} is in force for {scope_text(each.scope)}"
        + basis_of(each.answer)
        + (f", promoted from the shadow of position {each.shadow}" if each.shadow else "")
        + (", and its review is overdue" if each.review_overdue else "")
    )
    yield f"#   {each.actor} did that {output.when(each.activated_at)}: {inert(each.rationale)}"
    if each.answer is not None:
        yield from (f"#   {inert(one)}" for one in each.answer.sentences)


def to_come(schedule: "PolicySchedule") -> str:
    """Return how a version is to come into force: for what, when, and by whose word."""
    return (
        f"is to come into force for {scope_text(schedule.scope)} at "
        f"{output.when(schedule.effective_time)}, set by {schedule.actor} at position "
        f"{schedule.position}"
    )


def list_(as_of: AsOf = None) -> None:
    """List policies and the versions in force, and those that are to come into force."""
    chosen, then = session(), moment_of(as_of)
    found = list(chosen.client.list_policies(as_of=then.time, as_of_position=then.position))
    rows = [
        (
            one.policy,
            one.newest_version,
            ", ".join(_in_force(each) for each in one.activations if each.in_force) or "-",
            one.title,
        )
        for one in found
    ]
    headings = ("POLICY", ">NEWEST", "IN FORCE", "TITLE")
    pending = [
        f"{one.policy} version {each.version} {to_come(each)}."
        for one in found
        for each in one.schedules
    ]
    chosen.show({"policies": found}, "\n".join([output.table(headings, rows), *pending]))


def _in_force(activation: "PolicyActivation") -> str:
    """Return a version in force, loudly where it is so by an emergency or without its review."""
    emergency = " EMERGENCY, UNRATIFIED" if activation.unratified else ""
    return (
        f"{activation.version}{emergency}{' REVIEW OVERDUE' if activation.review_overdue else ''}"
    )


def told_problems(file: str, problems: "tuple[PolicyProblem, ...]") -> list[str]:
    """Return the findings as compilers print theirs, each with its place first."""
    return [
        f"{file}:{each.line}:{each.column}: {each.severity.lower()}: "
        f"{each.path + ': ' if each.path else ''}{_sentences(each.message, each.remedy)} "
        f"[{each.code}]"
        for each in problems
    ]


def _sentences(message: str, remedy: str) -> str:
    """Return both, the message with a full stop if the remedy goes on after it."""
    if not remedy:
        return message
    return f"{message}{'' if message.endswith(('.', '?', '!')) else '.'} {remedy}"


def read_document(file: str) -> str:
    """Return the text of a document's file; MisuseError where it cannot be read."""
    opened = sys.stdin.buffer if file == "-" else None
    return named_text(Path(file), DOCUMENT_BYTES_MAX, opened)
