"""The base of every section of the settings."""

from collections.abc import Iterator
from typing import Annotated, Any, Final, TypeAlias

from pydantic import BaseModel, ConfigDict

from ledger.database_url import shown

SECRET_FILE: Final = "file with a secret"
SecretFile: TypeAlias = Annotated[str, SECRET_FILE]
"""A setting that names a file which no other user may read; `doctor` looks at it."""


class Section(BaseModel):
    """Settings that belong together: fixed once they are read, and no others.

    A setting that is a secret has `repr=False`: no text made of a section shows it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    def __repr_args__(self) -> "Iterator[tuple[str | None, Any]]":
        """Yield what a text made of these settings shows: no password in a URL."""
        for name, stated in super().__repr_args__():
            yield name, shown(stated) if isinstance(stated, str) else stated
