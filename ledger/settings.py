"""Settings: the environment counts before a TOML file, that before the defaults.

A variable is `LEDGER_` plus sections and name: `LEDGER_SERVER__TLS__KEY`. A name that is not known
is refused at start-up, with the nearest one that exists: a setting that is silently not read would
be found out too late. Flags of the command line stand over all of this; that is the CLI's business.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, get_origin

import pydantic_settings
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from ledger.database_url import has_password
from ledger.reading import NOTE_BYTES_MAX, parse_toml, read_text
from ledger.secrecy import DATABASE_PASSWORDS, exposure
from ledger.section import SECRET_FILE
from ledger.setting_sections import Settings

PREFIX: Final = "LEDGER_"
CONFIG_VARIABLE: Final = "LEDGER_CONFIG"
_SECTION_END: Final = re.compile(r"__|\.")
_FORM: Final = re.compile(rf"{PREFIX}([A-Z0-9]+)__[A-Z0-9_]+", re.IGNORECASE)


class SettingsError(ValueError):
    """Settings that cannot be used; says which, why, and what to do."""


class _Stated(BaseSettings, Settings):
    """The settings as file and environment state them."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
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
    if path and (names := [*_secrets(stated)]):
        _refuse_exposed(path, names)
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
    for path, field in _leaves(Settings):
        yield f"{PREFIX}{path.replace('.', '__')}".upper(), path, field


def _leaves(section: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """Yield every setting of a section and of the sections in it, each with its path."""
    for name, field in section.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from ((f"{name}.{path}", leaf) for path, leaf in _leaves(kind))
        else:
            yield name, field


def _read(path: Path) -> dict[str, Any]:
    try:
        return parse_toml(read_text(path, NOTE_BYTES_MAX))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}. Check the path.") from error
    except ValueError as error:
        raise SettingsError(f"{path} is not TOML: {error}. Correct it there.") from error


def _secrets(stated: Mapping[str, Any]) -> Iterator[str]:
    """Yield the settings in a file that hold a secret."""
    for _, path, field in documented():
        found: Any = stated
        for part in path.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        if isinstance(found, str) and _is_secret(field, found):
            yield path


def _refuse_exposed(path: Path, names: Sequence[str]) -> None:
    """Refuse a file with secrets that another user may read."""
    if (error := exposure(path)) is not None:
        raise SettingsError(
            f"{path} holds a secret, {' and '.join(names)}, and {error.why}. {error.remedy}"
        )


def secret_files(settings: Settings) -> dict[str, Path]:
    """Return the files with secrets that settings name, by setting."""
    return dict(_secret_files(settings, ""))


def _secret_files(section: BaseModel, before: str) -> Iterator[tuple[str, Path]]:
    """Yield the files that a section names, and those in it, also in its lists of sections."""
    for name, field in type(section).model_fields.items():
        stated = getattr(section, name)
        if SECRET_FILE in field.metadata and stated:
            yield f"{before}{name}", Path(stated)
        for number, one in enumerate(stated if isinstance(stated, tuple) else [stated]):
            place = f"[{number}]" if isinstance(stated, tuple) else ""
            if isinstance(one, BaseModel):
                yield from _secret_files(one, f"{before}{name}{place}.")


def secret_variables() -> list[str]:
    """Return the variables of this process that hold a secret which this program uses."""
    fields = {variable: field for variable, _, field in documented()}
    return sorted(
        name
        for name, text in os.environ.items()
        if (name in DATABASE_PASSWORDS and text)
        or (name.upper() in fields and _is_secret(fields[name.upper()], text))
    )


def _is_secret(field: FieldInfo, text: str) -> bool:
    return bool(text) and (not field.repr or has_password(text))


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
