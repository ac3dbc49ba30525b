"""`decision-ledger model …`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.cli import output, values
from ledger.cli.open_cases import open_facts
from ledger.cli.session import session
from ledger.cli.values import AllowLeap, parse_time
from ledger.events import notation
from ledger.operations.failures import MisuseError

if TYPE_CHECKING:
    from ledger.client import LedgerClient, Model

_Id = Annotated[str, typer.Argument(metavar="MODEL", help="Its id: a-z, 0-9, '.', '_' and '-'.")]
_Owner = Annotated[str | None, typer.Option(help="The team that answers for it, not a person.")]
_Tier = Annotated[str | None, typer.Option(help="Its risk tier, in your own words.")]
_Label = Annotated[list[str] | None, typer.Option(help="KEY=VALUE; repeat it for several.")]
_Share = Annotated[str | None, typer.Option(metavar="SHARE", help="0% to 100%, such as 80%.")]
_Text = Annotated[str | None, typer.Option(help="At most 128 characters.")]
_Value = Annotated[
    str | None, typer.Option(metavar="AMOUNT", help="Worth of one unit of its loss, such as 0.25.")
]
_Cost = Annotated[
    str | None, typer.Option(metavar="AMOUNT", help="Cost of a retraining, such as 40 or 99.50.")
]
_Meaning = Annotated[str | None, typer.Option(help="A description for people.")]
_Millionths = Annotated[
    int | None, typer.Option(hidden=True, min=0, help="In millionths, as scripts of before say it.")
]


def register(
    model: _Id,
    owner: _Owner = None,
    unit_value: _Value = None,
    cost: _Cost = None,
    tier: _Tier = None,
    label: _Label = None,
    impact: _Share = None,
    risk: _Share = None,
    slo_signal: _Text = None,
    recipe: _Text = None,
    meaning: _Meaning = None,
    unit_value_micros: _Millionths = None,
    cost_micros: _Millionths = None,
    impact_ppm: _Millionths = None,
    risk_ppm: _Millionths = None,
) -> None:
    """Register a model; owner, unit value and cost of retraining are required."""
    from ledger.client import Model

    worth, price = (
        _given(values.money, unit_value, "--unit-value", unit_value_micros),
        _given(values.price, cost, "--cost", cost_micros),
    )
    # A missing value was refused when the line was read.
    assert owner is not None
    assert worth is not None
    assert price is not None
    described = Model(
        model,
        owner=owner,
        unit_value_micros=worth,
        cost_micros=price,
        tier=tier or "",
        labels=values.labels(label),
        impact_ppm=_given(values.share, impact, "--impact", impact_ppm) or 0,
        risk_ppm=_given(values.share, risk, "--risk", risk_ppm) or 0,
        slo_signal=slo_signal or "",
        recipe=recipe or "",
        meaning=meaning or "",
    )
    chosen = session()
    appended = chosen.client.register_model(described)
    chosen.show(appended, f"Registered {model} at position {appended.position}.")


def update(
    model: _Id,
    owner: _Owner = None,
    unit_value: _Value = None,
    cost: _Cost = None,
    tier: _Tier = None,
    label: _Label = None,
    impact: _Share = None,
    risk: _Share = None,
    slo_signal: _Text = None,
    recipe: _Text = None,
    meaning: _Meaning = None,
) -> None:
    """Change a model's description: what is stated changes, the rest stays as it is.

    Where the description was erased there is no rest: state what the model needs.
    """
    from dataclasses import replace

    stated = {
        "owner": owner,
        "unit_value_micros": _given(values.money, unit_value, "--unit-value"),
        "cost_micros": _given(values.price, cost, "--cost"),
        "tier": tier,
        "labels": None if label is None else values.labels(label),
        "impact_ppm": _given(values.share, impact, "--impact"),
        "risk_ppm": _given(values.share, risk, "--risk"),
        "slo_signal": slo_signal,
        "recipe": recipe,
        "meaning": meaning,
    }
    chosen = session()
    changed = {name: value for name, value in stated.items() if value is not None}
    if not changed:
        raise MisuseError("Nothing to change: state at least one option.")
    read = _as_read(chosen.client, model)
    appended = chosen.client.update_model(replace(read, **changed))  # type: ignore[arg-type]
    chosen.show(appended, f"Updated {model} at position {appended.position}.")


def _given(
    read: Callable[[str, str], int], text: str | None, option: str, otherwise: int | None = None
) -> int | None:
    """Return what an option states, `otherwise` where it was left out."""
    return otherwise if text is None else read(text, option)


def _as_read(client: "LedgerClient", name: str) -> "Model":
    """Return a model as it is; an empty description where that was erased."""
    from ledger.client.errors import LedgerRefusedError
    from ledger.errors import Reason

    try:
        return client.get_model(name)
    except LedgerRefusedError as error:
        if error.reason is not Reason.BODY_ERASED:
            raise
    return next(one for one in client.list_models(include_retired=True) if one.model == name)


def deploy(
    model: _Id,
    version: Annotated[str, typer.Argument(help="Id of the version that went into service.")],
    baseline_loss: Annotated[str, typer.Option(help="Its loss as seen in training; decimal.")],
    trained_through: Annotated[str, typer.Option(help="Time of its newest training data.")],
    in_service_at: Annotated[
        str | None, typer.Option(help="When it went into service; now if not given.")
    ] = None,
    replaces: Annotated[
        str, typer.Option(help="The version it must replace; refused if another is in service.")
    ] = "",
    basis: Annotated[
        str | None,
        typer.Option(
            help="Why it serves though no job deployed it: roll-back, or emergency.",
        ),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, with --basis; recorded for good.")] = "",
    allow_leap: AllowLeap = False,
) -> None:
    """Record that a version of a model went into service."""
    from ledger.operations.submission.rows import decimal_text

    chosen = session()
    began = (
        parse_time(in_service_at, "--in-service-at") if in_service_at else chosen.clock.now_micros()
    )
    appended = chosen.client.record_deployment(
        model,
        version,
        in_service_at=began,
        trained_through=parse_time(trained_through, "--trained-through"),
        baseline_loss=decimal_text(baseline_loss, "--baseline-loss"),
        replaces=replaces,
        allow_leap=allow_leap,
        basis=basis,
        reason=reason,
    )
    serving = appended.version_in_service
    said = "is in service"
    if serving != version:
        said = f"is recorded as what was; {serving or 'no known version'} stays in service"
    told = f"{model} {version} {said}, at position {appended.position}."
    if appended.rounded:
        from ledger.operations.submission.batches import rounded_said

        told += f" {rounded_said(appended.rounded)}"
    chosen.show(appended, told)


def roll_back(
    model: _Id,
    reason: Annotated[str, typer.Option(help="Why; recorded for good.")],
    to: Annotated[
        str, typer.Option(help="The version; the one before that in service if not given.")
    ] = "",
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="Take back what was asked before.")
    ] = False,
) -> None:
    """Ask that an earlier version serves again; workers put it back, or you.

    It is listed by `decision-ledger plan put-backs` until any version of the model is recorded as
    deployed.
    """
    chosen = session()
    asked = chosen.client.roll_back_model(model, to, reason=reason, withdraw=withdraw)
    if not asked.put_back:
        told = (
            f"Withdrawn for {model}, at position {asked.position}: nothing asked is to be put back."
        )
    else:
        what = f"{model} {asked.put_back} is to serve in the place of {asked.in_service}"
        told = f"{what}, at position {asked.position}."
    chosen.show(asked, told)


def retire(
    model: _Id,
    reason: Annotated[str, typer.Option(help="Why; recorded for good.")],
) -> None:
    """Take a model out of the fleet, for good."""
    chosen = session()
    appended = chosen.client.retire_model(model, reason)
    chosen.show(appended, f"Retired {model} at position {appended.position}.")


def show(model: _Id) -> None:
    """Show a model and its deployments."""
    chosen = session()
    one = chosen.client.get_model(model)
    facts: tuple[tuple[str, object], ...] = (
        ("model", one.model),
        ("owner", one.owner),
        ("tier", one.tier),
        ("labels", ", ".join(f"{key}={value}" for key, value in sorted(one.labels.items()))),
        ("impact", notation.share(one.impact_ppm)),
        ("risk", notation.share(one.risk_ppm)),
        ("unit value", notation.money(one.unit_value_micros, chosen.unit_of_cost)),
        ("cost", notation.money(one.cost_micros, chosen.unit_of_cost)),
        ("in service", one.version_in_service or "nothing"),
        ("retired", "yes" if one.retired else "no"),
        ("etag", one.etag),
        ("meaning", one.meaning),
    )
    deployed = output.table(
        ("VERSION", "KIND", "IN SERVICE", "TRAINED THROUGH", ">LOSS", ">POSITION"),
        [
            (
                each.model_version,
                each.kind,
                output.when(each.in_service_at),
                output.when(each.trained_through),
                each.baseline_loss,
                each.position,
            )
            for each in one.deployments
        ],
    )
    if not chosen.as_json:
        facts += tuple(open_facts(model))
    chosen.show(one, f"{output.table(('FIELD', 'VALUE'), facts)}\n\n{deployed}")


def list_(
    retired: Annotated[bool, typer.Option("--retired", help="Those that have left too.")] = False,
) -> None:
    """List the fleet."""
    chosen = session()
    found = list(chosen.client.list_models(include_retired=retired))
    unit = chosen.unit_of_cost
    rows = [
        (
            one.model,
            one.owner,
            one.tier,
            one.version_in_service or "-",
            notation.money(one.cost_micros, unit),
            "retired" if one.retired else "",
        )
        for one in found
    ]
    headings = ("MODEL", "OWNER", "TIER", "IN SERVICE", ">COST", "")
    chosen.show({"models": found}, output.table(headings, rows))
