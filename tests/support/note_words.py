"""The words that the vector files use for the ways in which a note is refused."""

from ledger.chain.note import (
    AmbiguousKeyError,
    InvalidSignatureError,
    MalformedNoteError,
    NoteError,
    UnverifiedNoteError,
)

WORDS: dict[type[NoteError], str] = {
    MalformedNoteError: "malformed",
    UnverifiedNoteError: "no_verifiable_signature",
    InvalidSignatureError: "invalid_signature",
    AmbiguousKeyError: "ambiguous_key",
}


def word_of(error: NoteError) -> str:
    """Return the vector files' word for a refusal."""
    return WORDS[type(error)]
