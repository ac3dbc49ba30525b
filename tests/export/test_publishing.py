"""What is published can be followed by anybody with the rules of static tiles, and never goes back.

Method: ledgers of real headers in memory are published step by step. A follower that knows nothing
but the format and the log's key reads the folder over HTTP on loopback, computes everything again
and compares; old readers prove consistency from what they hold. Runs are interrupted at every write
and go on; files are damaged and histories forged.
"""

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from ledger.chain.checkpoint import CheckpointBody, open_checkpoint, sign
from ledger.chain.entries import decode_entries
from ledger.chain.keys import SecretKey
from ledger.chain.link import GENESIS, event_hash, header_bytes
from ledger.chain.merkle import check_consistency, prove_consistency, prove_inclusion, root_of
from ledger.chain.tiles import Tile, entries_path, hash_reader, tile_path, tiles_of
from ledger.export.publishing import PublicationResult, PublishError, TileFolder

ORIGIN = "ledger.example/test"
KEY = SecretKey(ORIGIN, bytes(32))


def make_headers(count: int, tag: str = "honest", keep: Sequence[bytes] = ()) -> list[bytes]:
    """Return canonical headers that link, the first of which may be another history's."""
    made = list(keep)
    while len(made) < count:
        position = len(made) + 1
        made.append(
            header_bytes(
                body_hash=hashlib.sha256(f"{tag} {position}".encode()).hexdigest(),
                ledger=ORIGIN,
                position=position,
                prev_hash=(event_hash(made[-1]) if made else GENESIS).hex(),
                recorded_at="2026-01-01T00:00:00.000000Z",
                stream="models/fares",
                stream_version=position,
                type_="signal.observed.v1",
            )
        )
    return made


HEADERS = make_headers(1_300)


def note(size: int, headers: Sequence[bytes] = HEADERS, key: SecretKey = KEY) -> bytes:
    root = root_of(map(event_hash, headers[:size]))
    return sign(CheckpointBody(key.name, size, root), [key])


def publish(
    folder: Path, size: int, headers: Sequence[bytes] = HEADERS, asked: list[int] | None = None
) -> PublicationResult:
    def read(after: int, until: int) -> Iterable[bytes]:
        if asked is not None:
            asked.append(after)
        return headers[after:until]

    return TileFolder(folder).publish(note(size, headers), read)


# ---- a follower ----------------------------------------------------------------------------------

Fetch = Callable[[str], bytes | None]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served(folder: Path) -> Iterator[Fetch]:
    """Serve a folder as any static host would; what is not there is None."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def fetch(path: str) -> bytes | None:
        try:
            with urlopen(f"http://127.0.0.1:{server.server_port}/{path}", timeout=60) as answer:
                data: bytes = answer.read()
                return data
        except HTTPError as error:
            error.close()
            if error.code != 404:
                raise
            return None

    try:
        yield fetch
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Follower:
    """Reads by the rules of tlog-tiles: a partial tile, or the full one in its place."""

    def __init__(self, fetch: Fetch) -> None:
        self.fetch = fetch
        data = fetch("checkpoint")
        assert data is not None
        opened = open_checkpoint(data, origin=ORIGIN, keys=[KEY.verifier_key])
        self.size, self.root = opened.checkpoint.size, opened.checkpoint.root

    def tile(self, tile: Tile) -> bytes:
        found = self.fetch(tile_path(tile)) or self.fetch(tile_path(Tile(tile.level, tile.index)))
        assert found is not None, tile
        assert len(found) >= tile.width * 32
        return found[: tile.width * 32]

    def entries(self, tile: Tile) -> list[bytes]:
        path = entries_path(tile.index, tile.width)
        found = self.fetch(path) or self.fetch(entries_path(tile.index))
        assert found is not None, path
        return decode_entries(found)[: tile.width]

    def follow(self) -> list[bytes]:
        """Return every entry, having checked each tile and the root against the checkpoint."""
        headers: list[bytes] = []
        hashes: dict[int, list[bytes]] = {}
        for tile in tiles_of(self.size):
            content = self.tile(tile)
            level = hashes.setdefault(tile.level, [])
            level += [content[at : at + 32] for at in range(0, len(content), 32)]
            if tile.level == 0:
                entries = self.entries(tile)
                assert [event_hash(entry) for entry in entries] == level[-tile.width :]
                headers += entries
        assert len(headers) == self.size
        assert root_of(map(event_hash, headers)) == self.root
        for height, found in hashes.items():
            span = 1 << 8 * height
            leaves = hashes[0]
            assert found == [root_of(leaves[n * span : (n + 1) * span]) for n in range(len(found))]
        return headers

    def consistency(self, old_size: int, old_root: bytes) -> None:
        """Prove by the tiles that what is published extends a tree that a reader holds."""

        def read(wanted: Sequence[tuple[int, int]]) -> list[bytes]:
            tiles = {(tile.level, tile.index): tile for tile in tiles_of(self.size)}
            return [self.tile(tiles[place]) for place in wanted]

        proof = prove_consistency(old_size, self.size, hash_reader(self.size, read))
        check_consistency(
            old_size=old_size, size=self.size, old_root=old_root, root=self.root, proof=proof
        )
        assert prove_inclusion(old_size - 1, self.size, hash_reader(self.size, read))


# ---- following -----------------------------------------------------------------------------------


def test_a_follower_gets_every_entry_at_every_step_and_old_readers_can_prove(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "log"
    seen: list[tuple[int, bytes]] = []
    with served(folder) as fetch:
        for size in (1, 2, 255, 256, 257, 300, 511, 512, 513, 1_024, 1_299, 1_300):
            before = seen[-1][0] if seen else 0
            done = publish(folder, size)
            assert (done.size, done.previous_size) == (size, before)
            follower = Follower(fetch)
            assert follower.follow() == HEADERS[:size]
            for old_size, old_root in seen:
                follower.consistency(old_size, old_root)
            seen.append((follower.size, follower.root))


def test_a_tree_of_three_tile_levels_is_published(tmp_path: Path) -> None:
    """Method: hashes of level 2 exist from 65,536 events on; entries are short headers."""
    headers = [f"entry {n}".encode() for n in range(65_536 + 300)]
    folder = tmp_path / "log"
    publish(folder, 65_000, headers)
    publish(folder, 65_836, headers)
    follower = Follower(lambda path: _file(folder, path))
    assert follower.follow() == headers
    assert (folder / tile_path(Tile(1, 0))).stat().st_size == 8_192
    assert (folder / tile_path(Tile(2, 0, 1))).stat().st_size == 32
    follower.consistency(65_000, root_of(map(event_hash, headers[:65_000])))


def _file(folder: Path, path: str) -> bytes | None:
    found = folder / path
    return found.read_bytes() if found.is_file() else None


def test_only_what_is_new_is_read_and_full_tiles_are_never_written_again(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    asked: list[int] = []
    publish(folder, 700, asked=asked)
    full = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if _is_full(path)}
    assert full
    for path in full:
        path.chmod(0o444)
        path.parent.chmod(0o755)
    publish(folder, 1_300, asked=asked)
    again = publish(folder, 1_300, asked=asked)
    assert asked == [0, 700]
    assert (again.tiles, again.entries) == (0, 0)
    assert {path: path.stat().st_mtime_ns for path in full} == full


def _is_full(path: Path) -> bool:
    return path.is_file() and ".p" not in str(path.parent) and path.name != "checkpoint"


def test_partial_tiles_go_when_the_full_one_is_there_and_nothing_foreign_is_left(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "log"
    for size in (10, 20, 300, 310, 600):
        publish(folder, size)
    left = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert left == [
        "checkpoint",
        "tile/0/000",
        "tile/0/001",
        "tile/0/002.p/88",
        "tile/1/000.p/1",
        "tile/1/000.p/2",
        "tile/entries/000",
        "tile/entries/001",
        "tile/entries/002.p/88",
    ]


def test_cosignatures_that_came_in_are_published_without_anything_else(tmp_path: Path) -> None:
    folder = tmp_path / "log"
    publish(folder, 40)
    more = note(40) + "— w.example AAAAAAAAAAAAAAAA\n".encode()
    done = TileFolder(folder).publish(more, lambda *_: pytest.fail("nothing is to be read"))
    assert (done.tiles, done.entries) == (0, 0)
    assert (folder / "checkpoint").read_bytes() == more


# ---- interruptions -------------------------------------------------------------------------------


class _StoppedError(Exception):
    """The run ends here, as a kill would end it."""


@pytest.mark.parametrize("start", [0, 300])
def test_a_run_that_ends_anywhere_leaves_a_sound_folder_and_the_next_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: int
) -> None:
    """Method: end the run at its n-th write, before or after the file took its place; then follow
    what is served, publish again and follow that."""
    real = Path.replace
    for stop in range(1, 40):
        folder = tmp_path / str(stop)
        if start:
            publish(folder, start)
        count = 0

        def replace(self: Path, target: Path, at: int = stop) -> Path:
            nonlocal count
            count += 1
            if count == at and at % 2:
                raise _StoppedError
            result = real(self, target)
            if count == at:
                raise _StoppedError
            return result

        monkeypatch.setattr(Path, "replace", replace)
        try:
            publish(folder, 1_300)
        except _StoppedError:
            is_over = False
        else:
            is_over = True
        monkeypatch.setattr(Path, "replace", real)
        if (folder / "checkpoint").exists():
            follower = Follower(partial(_file, folder))
            assert follower.follow() == HEADERS[: follower.size]
        asked: list[int] = []
        publish(folder, 1_300, asked=asked)
        assert Follower(partial(_file, folder)).follow() == HEADERS
        if is_over:
            assert stop > 10
            return
        if stop > 6 and start == 0:
            assert asked == [] or asked[0] >= 256  # what was there was not asked for again
    raise AssertionError("the run never came to its end")


def test_two_runs_into_one_folder_keep_out_of_each_others_way(tmp_path: Path) -> None:
    folder = tmp_path / "log"

    def read(after: int, until: int) -> Iterable[bytes]:
        with pytest.raises(PublishError, match="another run is publishing"):
            publish(folder, 20)
        return HEADERS[after:until]

    TileFolder(folder).publish(note(10), read)
    assert Follower(partial(_file, folder)).size == 10


# ---- what does not go together -------------------------------------------------------------------


@pytest.mark.parametrize("keep", [0, 100, 256, 299])
def test_a_history_that_does_not_extend_what_was_published_changes_nothing(
    tmp_path: Path, keep: int
) -> None:
    folder = tmp_path / "log"
    publish(folder, 300)
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    forged = make_headers(900, "forged", HEADERS[:keep])
    with pytest.raises(PublishError, match="does not have the root that was signed"):
        publish(folder, 900, forged)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == files
    publish(folder, 900)
    assert Follower(partial(_file, folder)).follow() == HEADERS[:900]


def test_a_smaller_checkpoint_another_ledger_and_an_end_too_soon_are_refused(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "log"
    publish(folder, 300)
    with pytest.raises(PublishError, match="300 events"):
        publish(folder, 299)
    other = SecretKey("ledger.example/other", bytes(32))
    with pytest.raises(PublishError, match="does not extend it"):
        TileFolder(folder).publish(note(400, key=other), lambda a, b: HEADERS[a:b])
    with pytest.raises(PublishError, match="ends at position 350"):
        TileFolder(folder).publish(note(400), lambda a, _: HEADERS[a:350])
    assert Follower(partial(_file, folder)).follow() == HEADERS[:300]


@pytest.mark.parametrize(
    "path", ["tile/0/001.p/44", "tile/0/000", "tile/1/000.p/1", "tile/entries/001.p/44"]
)
def test_a_damaged_or_missing_file_that_the_edge_needs_is_found(tmp_path: Path, path: str) -> None:
    folder = tmp_path / "log"
    for is_missing in (False, True):
        publish(folder, 300)
        file = folder / path
        good = file.read_bytes()
        if is_missing:
            file.unlink()
        else:
            file.write_bytes(good[:40] + bytes([good[40] ^ 1]) + good[41:]) if len(
                good
            ) > 40 else file.write_bytes(bytes([good[0] ^ 1]) + good[1:])
        needs = path != "tile/0/000"  # a full tile below the edge is not read again
        if needs:
            with pytest.raises(PublishError):
                publish(folder, 400)
        file.write_bytes(good)
    publish(folder, 400)
    assert Follower(partial(_file, folder)).follow() == HEADERS[:400]


@pytest.mark.parametrize("path", ["tile/0/001", "tile/entries/001"])
def test_what_an_interrupted_run_left_damaged_is_asked_for_again(tmp_path: Path, path: str) -> None:
    folder = tmp_path / "log"
    publish(folder, 600)
    (folder / "checkpoint").unlink()
    damaged = bytearray((folder / path).read_bytes())
    damaged[50] ^= 1
    (folder / path).write_bytes(damaged)
    asked: list[int] = []
    publish(folder, 600, asked=asked)
    assert asked == [256]
    assert Follower(partial(_file, folder)).follow() == HEADERS[:600]


def test_what_an_interrupted_run_left_is_believed_only_if_it_fits(tmp_path: Path) -> None:
    """Method: bundle and tile of a forged history lie there, agreeing with each other."""
    folder = tmp_path / "log"
    forged = make_headers(256, "forged")
    publish(tmp_path / "other", 256, forged)
    for path in ("tile/0/000", "tile/entries/000"):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((tmp_path / "other" / path).read_bytes())
    with pytest.raises(PublishError, match="root that was signed"):
        publish(folder, 600)
    publish(folder, 600)  # what did not fit is gone
    assert Follower(partial(_file, folder)).follow() == HEADERS[:600]
