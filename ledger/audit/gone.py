"""Bodies that are not there outside the models' streams, by what they would say."""

from collections.abc import Iterable, Iterator


class Gone:
    """Positions of absent bodies by the name of their type without its version."""

    def __init__(self) -> None:
        self._by_name: dict[str, list[int]] = {}

    def add(self, position: int, type_: str) -> None:
        """Note an absent body."""
        self._by_name.setdefault(_name(type_), []).append(position)

    def lacks(self, types: Iterable[str]) -> bool:
        """Whether a body of one of these types, in any version, is absent."""
        return any(self.of(types))

    def of(self, types: Iterable[str]) -> Iterator[int]:
        """Yield the positions of the absent bodies of these types, in any version."""
        for name in sorted({_name(type_) for type_ in types}):
            yield from self._by_name.get(name, ())


def _name(type_: str) -> str:
    return type_.rpartition(".")[0]
