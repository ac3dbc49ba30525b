"""The base of every section of the settings."""

from collections.abc import Iterator
from typing import Annotated, Any, Final, TypeAlias

from pydantic import BaseModel, ConfigDict

from ledger.database_url import shown

SECRET_FILE: Final = "file with a secret"
SecretFile: TypeAlias = Annotated[str, SECRET_FILE]
"""A setting that names a file which no other user may read; `doctor` looks at it."""
_WORDS_MAX: Final = 100


def as_words(stated: object) -> object:
    """Return the words of a command as they were stated; ValueError where they are none."""
    if isinstance(stated, str):
        raise ValueError(  # noqa: TRY004 - pydantic's way to refuse
            'a command is a list of words, such as ["/usr/bin/kms", "get", "ledger"]; no shell '
            "reads it"
        )
    words = list(stated) if isinstance(stated, list | tuple) else []
    if not all(isinstance(word, str) and "\0" not in word for word in words):
        raise ValueError("each word of a command is text without a zero byte")
    if len(words) > _WORDS_MAX:
        raise ValueError(f"a command has at most {_WORDS_MAX} words")
    if words and not words[0].startswith("/"):
        raise ValueError(
            "a command begins with the whole path of its program, such as /usr/bin/kms"
        )
    return stated


class Section(BaseModel):
    """Settings that belong together: fixed once they are read, and no others.

    A setting that is a secret has `repr=False`: no text made of a section shows it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    def __repr_args__(self) -> "Iterator[tuple[str | None, Any]]":
        """Yield what a text made of these settings shows: no password in a URL."""
        for name, stated in super().__repr_args__():
            yield name, shown(stated) if isinstance(stated, str) else stated
