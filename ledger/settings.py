"""Settings: the environment counts before a TOML file, that before the defaults.

A variable is `LEDGER_` plus section and name: `LEDGER_SERVER__ADDRESS`. A name that is not known is
refused at start-up, with the nearest one that exists: a setting that is silently not read would be
found out too late. Flags of the command line stand over all of this; that is the CLI's business.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_origin

import pydantic_settings
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from ledger.events.values import ACTOR
from ledger.reading import NOTE_BYTES_MAX, parse_toml, read_text

PREFIX: Final = "LEDGER_"
CONFIG_VARIABLE: Final = "LEDGER_CONFIG"
_SECTION_END: Final = re.compile(r"__|\.")
_FORM: Final = re.compile(rf"{PREFIX}([A-Z0-9]+)__[A-Z0-9_]+", re.IGNORECASE)


class SettingsError(ValueError):
    """Settings that cannot be used; says which, why, and what to do."""


class _Section(BaseModel):
    """Settings that belong together: fixed once they are read, and no others."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ServerSettings(_Section):
    """Where the service is, for the server and its clients."""

    address: str = Field(
        default="127.0.0.1:50051",
        description="Host and port that `serve` listens on and commands call; loopback only.",
    )


class StorageSettings(_Section):
    """Where data lives."""

    database: str = Field(
        default="ledger.sqlite",
        description="The ledger: path of a SQLite file, or URL of a PostgreSQL database.",
    )
    projections: str = Field(
        default="",
        description="The read models, likewise; empty for a file (or tables) beside the ledger.",
    )
    accept_silent_loss: bool = Field(
        default=False,
        description="Consent to run on PostgreSQL with nothing outside the database that shows "
        "events lost in a fail-over.",
    )


class ServiceSettings(_Section):
    """The work that runs beside the API."""

    evaluate: bool = Field(
        default=True, description="Whether this server scores models and decides by itself."
    )
    project: bool = Field(default=True, description="Whether this server keeps projections.")


class KeySettings(_Section):
    """Which master key opens the signing keys, which the database holds encrypted."""

    file: str = Field(
        default="",
        description="File with the master key that encrypts signing keys; empty for one beside a "
        "SQLite file, made at first start.",
    )
    secret: str = Field(
        default="",
        repr=False,
        description="That key itself, 64 hexadecimal digits, instead of a file.",
    )


class CheckpointSettings(_Section):
    """When tree heads are signed, and what they are held against."""

    seconds: float = Field(
        default=1.0,
        ge=0,
        le=86_400,
        description="An event is covered by a signed checkpoint within so many seconds; 0 to sign "
        "on demand only.",
    )
    published: str = Field(
        default="",
        description="Folder that `log publish` writes, or file with a checkpoint: the server does "
        "not start on a ledger that is behind it.",
    )
    policy: str = Field(
        default="",
        description="Policy file (tlog-policy) that names witnesses with their URLs: their "
        "cosignatures are collected.",
    )
    evidence: str = Field(
        default="",
        description="Folder for checkpoints that contradict the ledger; empty for one beside a "
        "SQLite file.",
    )


class SealSettings(_Section):
    """How often all streams are sealed."""

    seconds: float = Field(
        default=3600.0,
        ge=0,
        le=31_536_000,
        description="All streams are sealed every so many seconds if something was recorded; 0 to "
        "seal on demand only.",
    )


def _can_call(actor: str) -> str:
    if actor.startswith("system/") or not ACTOR.fullmatch(actor):
        raise ValueError(f"{actor[:80]!r} can never call; write users/NAME or services/NAME")
    return actor


_Actor = Annotated[str, AfterValidator(_can_call)]


class ErasureSettings(_Section):
    """The actors that may erase bodies."""

    actors: tuple[_Actor, ...] = Field(
        default=(),
        description='Actors that may erase bodies, as a list such as `["users/dpo"]`; no client if '
        "empty.",
    )


class OperatorSettings(_Section):
    """The actors that may do what concerns every client."""

    actors: tuple[_Actor, ...] = Field(
        default=(),
        description="Actors that may rotate and revoke keys, create ledgers, confirm the clock, "
        "retire models, rebuild read models and delete exports, as a list such as "
        '`["users/ops"]`; no client if empty.',
    )


class RefusalSettings(_Section):
    """Whether refused requests are counted on record."""

    seconds: float = Field(
        default=60.0,
        ge=0,
        le=86_400,
        description="Refused requests are recorded as counts every so many seconds; 0 for never.",
    )


class AccountSettings(_Section):
    """Whether the server accounts on record for what it does by itself."""

    seconds: float = Field(
        default=3600.0,
        ge=0,
        le=86_400,
        description="The server accounts on record for what it recorded by itself, and how far it "
        "has evaluated, every so many seconds if anything was, and when it ends; 0 for never.",
    )


class ExportSettings(_Section):
    """Where export bundles are made."""

    folder: str = Field(
        default="",
        description="Folder for export bundles; empty for one beside a SQLite file.",
    )


class ClientSettings(_Section):
    """How commands call the service."""

    ledger: str = Field(
        default="", description="Origin of the ledger; empty for the server's first one."
    )
    actor: str = Field(
        default="",
        description="The actor that calls, as `users/NAME` or `services/NAME`; empty for "
        "`users/anonymous`.",
    )
    deadline_seconds: float = Field(
        default=10.0, gt=0, le=86_400, description="How long a call may take, with all attempts."
    )
    trust: str = Field(
        default="",
        description="File with the keys and checkpoints that commands remember; empty for one in "
        "the user's state folder.",
    )


class LogSettings(_Section):
    """What `serve` says while it runs, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least severe line that is written."
    )
    form: Literal["auto", "json", "text"] = Field(
        default="auto", description="Form of a line; `auto` is text on a terminal, else JSON."
    )


class Settings(_Section):
    """Everything that can be set, by section. A part of the product is given its whole section."""

    server: ServerSettings = Field(default_factory=ServerSettings)
    storage: StorageSettings = Field(default_factory=StorageSettings)
    service: ServiceSettings = Field(default_factory=ServiceSettings)
    keys: KeySettings = Field(default_factory=KeySettings)
    checkpoints: CheckpointSettings = Field(default_factory=CheckpointSettings)
    seals: SealSettings = Field(default_factory=SealSettings)
    erasure: ErasureSettings = Field(default_factory=ErasureSettings)
    operators: OperatorSettings = Field(default_factory=OperatorSettings)
    refusals: RefusalSettings = Field(default_factory=RefusalSettings)
    accounts: AccountSettings = Field(default_factory=AccountSettings)
    exports: ExportSettings = Field(default_factory=ExportSettings)
    client: ClientSettings = Field(default_factory=ClientSettings)
    log: LogSettings = Field(default_factory=LogSettings)


class _Stated(BaseSettings, Settings):
    """The settings as file and environment state them."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the environment over what the file says, which comes in as arguments.

        A variable that names a whole section, such as LEDGER_LOG, belongs to another program.
        """
        assert isinstance(env_settings, EnvSettingsSource)
        named = env_settings.env_vars.items()
        env_settings.env_vars = {name: text for name, text in named if _FORM.fullmatch(name)}
        return env_settings, init_settings


def load(config: Path | None = None) -> Settings:
    """Return the settings in force; SettingsError names what cannot be used.

    `config`: the TOML file, or None for the one that LEDGER_CONFIG names, if it does.
    """
    refuse_strays(os.environ)
    named = os.environ.get(CONFIG_VARIABLE, "")
    path = config or (Path(named) if named else None)
    stated = _read(path) if path else {}
    try:
        found = _Stated(**stated)
    except ValidationError as error:
        raise SettingsError(_explain(error, path)) from error
    except pydantic_settings.SettingsError as error:  # a list that is not written as JSON
        unread = ", ".join(_unread_lists()) or str(error)
        raise SettingsError(
            f"Settings in the environment cannot be used: {unread}. Lists are written as JSON, "
            'such as ["users/ana"].'
        ) from error
    except RecursionError as error:
        raise SettingsError("A variable of the environment is nested too deeply.") from error
    return Settings.model_construct(**found.__dict__)


def _unread_lists() -> Iterator[str]:
    """Yield the variables of lists that are not written as JSON."""
    for variable, _, field in documented():
        if get_origin(field.annotation) is tuple and variable in os.environ:
            try:
                json.loads(os.environ[variable])
            except ValueError:
                yield variable


def refuse_strays(variables: Mapping[str, str]) -> None:
    """Refuse every variable of the form LEDGER_SECTION__NAME that nothing reads.

    Others with the prefix belong to other programs: Kubernetes makes LEDGER_SERVICE_HOST for a
    Service called `ledger`, hledger reads LEDGER_FILE, and a section that is far from all of ours
    (LEDGER_APP__KEY) is a section of another program.
    """
    known = {variable for variable, _, _ in documented()}
    strays = sorted(name for name in variables if _is_ours(name) and name not in known)
    if not strays:
        return
    said = [f"{stray}{_hint(stray, known)}" for stray in strays]
    raise SettingsError(
        f"Nothing reads {', '.join(said)}. Unset it, or correct its name; "
        "ledger/docs/configuration.md lists every setting."
    )


def _is_ours(variable: str) -> bool:
    """Return whether a variable names a section of ours, or nearly."""
    found = _FORM.fullmatch(variable)
    return found is not None and bool(
        get_close_matches(found[1].lower(), Settings.model_fields, n=1, cutoff=0.7)
    )


def documented() -> Iterator[tuple[str, str, FieldInfo]]:
    """Yield (variable, path in the file, field) of every setting."""
    for section, outer in Settings.model_fields.items():
        part = outer.annotation
        assert isinstance(part, type)
        assert issubclass(part, BaseModel)
        for name, field in part.model_fields.items():
            yield f"{PREFIX}{section}__{name}".upper(), f"{section}.{name}", field


def _read(path: Path) -> dict[str, Any]:
    try:
        return parse_toml(read_text(path, NOTE_BYTES_MAX))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}. Check the path.") from error
    except ValueError as error:
        raise SettingsError(f"{path} is not TOML: {error}. Correct it there.") from error


def _explain(error: ValidationError, path: Path | None) -> str:
    """Return what is wrong with which setting, in one line for each."""
    place = f"in {path} or the environment" if path else "in the environment"
    paths = [name for _, name, _ in documented()]
    said = []
    for problem in error.errors():
        name = ".".join(str(part) for part in problem["loc"])
        hint = "" if name in paths else _hint(name, paths)
        said.append(f"{name[:80]}: {problem['msg'][:400]}{hint}")
    return f"Settings {place} cannot be used: {'; '.join(said)}. Correct or remove them."


def _last_part(name: str) -> str:
    """Return the name of a setting without its section; empty where it has none."""
    return _SECTION_END.split(name)[-1] if _SECTION_END.search(name) else ""


def _hint(name: str, known: Iterable[str]) -> str:
    """Return the question whether a known name was meant; empty where none is near."""
    names = sorted(known)
    if last := _last_part(name):  # a shared section makes names alike that mean different things
        names = [one for one in names if get_close_matches(last, [_last_part(one)])]
    near = get_close_matches(name, names, n=1, cutoff=0.6)
    return f" (did you mean {near[0]}?)" if near else ""
