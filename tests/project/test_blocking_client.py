"""The blocking client is generated: it says so, and what cannot be translated is refused by line.

Method: translate short sources and compare committed files with changed ones. That the committed
client is the one that its sources give, `test_dependencies` and every `check` compare.
"""

import pytest

from tools import blocking_client, proto


def test_every_generated_file_says_so_in_its_first_line() -> None:
    for name, content in blocking_client.committed().items():
        first = content.decode().splitlines(keepends=True)[0]
        assert first == blocking_client.FIRST_LINE.format(source=f"ledger/client/aio/{name}")


def test_the_words_of_asyncio_become_those_of_threads() -> None:
    source = (
        "from ledger.client.aio.connection import AsyncConnection\n"
        "async def first(connection: AsyncConnection) -> AsyncIterator[int]:\n"
        "    async def __aenter__(self) -> Self: ...\n"
        "    return await connection.run(awaited)\n"
    )
    with pytest.raises(blocking_client.UntranslatedError, match=r"x\.py:4: 'await'"):
        blocking_client.translated(source, "x.py")
    made = blocking_client.translated(source.replace("awaited", "call"), "x.py")
    assert made == (
        blocking_client.FIRST_LINE.format(source="x.py")
        + "from ledger.client.blocking.connection import Connection\n"
        "def first(connection: Connection) -> Iterator[int]:\n"
        "    def __enter__(self) -> Self: ...\n"
        "    return connection.run(call)\n"
    )


@pytest.mark.parametrize("line", ["await asyncio.sleep(1)", "async for page in pages:"])
def test_what_only_asyncio_does_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(blocking_client.UntranslatedError, match=r"x\.py:2: 'async"):
        blocking_client.translated(f"first\n{line}\n", "x.py")


def test_a_generated_file_that_was_changed_or_left_over_is_named() -> None:
    fresh = {"models.py": b"new", "log.py": b"same", "proofs.py": b""}
    committed = {"models.py": b"old", "log.py": b"same", "erasure.py": b""}
    assert proto.differences(committed, fresh) == [
        "left over: erasure.py",
        "missing: proofs.py",
        "out of date: models.py",
    ]
