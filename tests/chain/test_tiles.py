"""Tiles lie where others look for them, hold the tree, and prove from few reads.

Method: other people's paths and tiles; trees grown in batches of any size and held against the
recursion of RFC 6962 and against a reader that has every leaf in memory; reads counted.
"""

import base64
import hashlib
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.chain.checkpoint import open_checkpoint, parse
from ledger.chain.cosignature import CosignerKey
from ledger.chain.entries import (
    ENTRY_BYTES_MAX,
    EntriesError,
    decode_entries,
    encode_entries,
)
from ledger.chain.keys import VerifierKey
from ledger.chain.link import DIGEST_BYTES
from ledger.chain.merkle import (
    SIZE_MAX,
    CompactRange,
    Node,
    check_consistency,
    check_inclusion,
    leaf_hash,
    memory_reader,
    prove_consistency,
    prove_inclusion,
    root_of,
)
from ledger.chain.note import open_note
from ledger.chain.tiles import (
    TILE_BYTES,
    TILE_WIDTH,
    RightEdge,
    Tile,
    TileError,
    TileReader,
    entries_path,
    hash_reader,
    parse_tile_path,
    tile_of,
    tile_path,
    tiles_of,
)
from tests.support.chained import merkle_root
from tests.support.hooks import replace_hash
from tests.support.vectors import load_cases, load_documents

LAYOUT = load_cases("tile_layout.json")
Stored = dict[tuple[int, int], bytes]


def reader_of(stored: Stored) -> TileReader:
    return lambda wanted: [stored[place] for place in wanted]


def leaves_up_to(count: int) -> list[bytes]:
    return [leaf_hash(str(n).encode()) for n in range(count)]


# ---- known answers, ours and others' -------------------------------------------------------------


def laid_out(case: dict[str, Any]) -> object:
    """Return our answer to a case of the layout file, in that file's words."""
    width = case.get("width") or TILE_WIDTH
    match case["op"]:
        case "tile_path":
            return tile_path(Tile(case["level"], case["index"], width))
        case "entries_path":
            return entries_path(case["index"], width)
        case "entries_path_for_log_index":
            tile = tile_of(Node(0, case["leaf_index"]), case["tree_size"])
            return entries_path(tile.index, tile.width)
        case "parse_tile_path":
            parsed = parse_tile_path(f"tile/{case['level_str']}/{case['index_str']}")
            if parsed is None:
                return None
            return {**parsed._asdict(), "width": parsed.width % TILE_WIDTH}
        case "node_to_tile":
            node = Node(case["tree_level"], case["tree_index"])
            tile = tile_of(node, SIZE_MAX)
            inner = node.level % 8
            return {
                "tile_level": tile.level,
                "tile_index": tile.index,
                "node_level": inner,
                "node_index": node.offset % (TILE_WIDTH >> inner),
            }
        case "tiles_for_size":
            levels: dict[int, dict[str, int]] = {}
            for tile in tiles_of(case["tree_size"]):
                row = levels.setdefault(
                    tile.level, {"level": tile.level, "full": 0, "partial_width": 0}
                )
                if tile.width == TILE_WIDTH:
                    row["full"] += 1
                else:
                    row["partial_width"] = tile.width
            return list(levels.values())
    pytest.fail(f"no test for {case['op']}")


@pytest.mark.parametrize("name", LAYOUT)
def test_layout_known_answer(name: str) -> None:
    assert laid_out(LAYOUT[name]) == LAYOUT[name]["expect"]


class PublishedLog:
    """What a log published, at each of its sizes."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.origin = str(document["origin"])
        self.key = VerifierKey.parse(document["log_vkey"])
        self.resources = {
            (case["tree_size"], case["path"]): base64.b64decode(case["data"], validate=True)
            for case in document["cases"]
        }
        self.sizes = sorted({size for size, _ in self.resources})

    def check(self, size: int, resources: dict[tuple[int, str], bytes]) -> None:
        """Check the log of one size from what it serves alone, or raise ValueError."""
        note = resources[size, "checkpoint"]
        head = open_checkpoint(note, origin=self.origin, keys=[self.key]).checkpoint
        if head.size != size:
            raise ValueError("another size")
        edge = RightEdge(CompactRange(), [])
        for tile in tiles_of(size):
            entries = decode_entries(resources[size, entries_path(tile.index, tile.width)])
            changed = edge.extend(map(leaf_hash, entries))
            if changed[0, tile.index] != resources[size, tile_path(tile)]:
                raise ValueError("the tile is not over its entries")
        if edge.size != size or edge.root() != head.root:
            raise ValueError("another root")


LOGS = {log.origin: log for log in map(PublishedLog, load_documents("tlog_tiles_fixture.json"))}


@pytest.mark.parametrize(("origin", "size"), [(o, s) for o, log in LOGS.items() for s in log.sizes])
def test_a_published_log_is_checked_from_its_resources(origin: str, size: int) -> None:
    LOGS[origin].check(size, LOGS[origin].resources)


@pytest.mark.parametrize("step", [9, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("origin", "size", "path"),
    [(origin, *place) for origin, log in LOGS.items() for place in log.resources],
)
def test_every_flipped_bit_of_a_published_log_is_found(
    origin: str, size: int, path: str, step: int
) -> None:
    # A step of 9 takes a bit of nearly every byte, another one each time.
    log = LOGS[origin]
    honest = log.resources[size, path]
    for bit in range(0, len(honest) * 8, step):
        damaged = bytearray(honest)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ValueError):  # noqa: PT011 - each resource has its own kind
            log.check(size, {**log.resources, (size, path): bytes(damaged)})


TILED = load_documents("tlog_tiles_300.json")


def stored_in(document: dict[str, Any]) -> Stored:
    """Return the tiles that a document publishes."""
    return {
        (tile.level, tile.index): base64.b64decode(text, validate=True)
        for path, text in document["tiles"].items()
        if (tile := parse_tile_path(path)) is not None
    }


def unpack(texts: Sequence[str]) -> list[bytes]:
    return [base64.b64decode(text, validate=True) for text in texts]


@pytest.mark.parametrize("document", TILED, ids=lambda document: document["title"])
def test_published_tiles_are_those_of_the_cosigned_checkpoint(document: dict[str, Any]) -> None:
    key = CosignerKey.parse(document["cosigner_vkey"])
    head = parse(open_note(document["checkpoint"].encode(), [key]).text)
    stored = stored_in(document)
    assert [tile_path(tile) for tile in tiles_of(head.size)] == list(document["tiles"])
    level_0 = stored[0, 0] + stored[0, 1]
    leaves = [level_0[at : at + DIGEST_BYTES] for at in range(0, len(level_0), DIGEST_BYTES)]
    edge = RightEdge(CompactRange(), [])
    assert edge.extend(leaves) == stored
    assert edge.root() == head.root


@pytest.mark.parametrize(
    ("document", "case"),
    [pytest.param(doc, case, id=case["id"]) for doc in TILED for case in doc["cases"]],
)
def test_proof_from_published_tiles_known_answer(
    document: dict[str, Any], case: dict[str, Any]
) -> None:
    proof, read = unpack(case["proof"]), reader_of(stored_in(document))
    if case["op"] == "inclusion":
        index, size = case["leaf_index"], case["tree_size"]
        assert prove_inclusion(index, size, hash_reader(size, read)) == proof
        (leaf, root) = unpack([case["leaf_hash"], case["root"]])
        check_inclusion(index=index, size=size, leaf=leaf, root=root, proof=proof)
    else:
        old, size = case["size1"], case["size2"]
        assert prove_consistency(old, size, hash_reader(size, read)) == proof
        (old_root, root) = unpack([case["root1"], case["root2"]])
        check_consistency(old_size=old, size=size, old_root=old_root, root=root, proof=proof)


# ---- growing and proving -------------------------------------------------------------------------


@given(
    st.lists(st.integers(0, 600), max_size=8),
    st.data(),
)
@example([65_536 - 1, 1, 1], None)  # a tile of the second level becomes full
def test_batches_of_any_size_make_the_same_tiles(
    batches: list[int], data: st.DataObject | None
) -> None:
    leaves = leaves_up_to(sum(batches))
    size = len(leaves)
    stored: Stored = {}
    edge, start = RightEdge(CompactRange(), []), 0
    for batch in batches:
        changed = edge.extend(leaves[start : start + batch])
        for place, content in changed.items():
            assert content.startswith(stored.get(place, b""))  # tiles grow, and only grow
        stored.update(changed)
        start += batch
        loaded = RightEdge.load(CompactRange.from_bytes(edge.tree.to_bytes()), reader_of(stored))
        assert loaded.partial == edge.partial
        edge = loaded
    assert {Tile(*place, len(hashes) // DIGEST_BYTES) for place, hashes in stored.items()} == set(
        tiles_of(size)
    )
    whole = RightEdge(CompactRange(), [])
    whole.extend(leaves)
    assert whole.partial == edge.partial
    assert edge.root() == root_of(leaves) == merkle_root(leaves)
    if size and data is not None:
        at = data.draw(st.integers(1, size), label="tree size, perhaps smaller than the tiles")
        index = data.draw(st.integers(0, at - 1), label="leaf")
        from_tiles, from_memory = hash_reader(at, reader_of(stored)), memory_reader(leaves[:at])
        assert prove_inclusion(index, at, from_tiles) == prove_inclusion(index, at, from_memory)
        assert prove_consistency(index + 1, at, from_tiles) == prove_consistency(
            index + 1, at, from_memory
        )


class Counting:
    """A store of tiles of any size that makes its hashes up, and counts what is read."""

    def __init__(self) -> None:
        self.calls = 0
        self.tiles = 0

    def __call__(self, wanted: Sequence[tuple[int, int]]) -> list[bytes]:
        assert len(set(wanted)) == len(wanted)
        self.calls += 1
        self.tiles += len(wanted)
        return [bytes(TILE_BYTES) for _ in wanted]


@pytest.mark.parametrize("size", [1, 256, 257, 65_536, 1_000_000, 961_984_013, 2**40 + 12_345])
def test_a_proof_reads_at_most_two_tiles_for_each_eight_levels(size: int) -> None:
    levels = len({tile_of(Node(level, 0), size).level for level in range(size.bit_length())})
    for index in {0, size // 3, size // 2, size - 1}:
        for prove, at in ((prove_inclusion, index), (prove_consistency, index + 1)):
            counting = Counting()
            prove(at, size, hash_reader(size, counting))
            assert counting.calls <= 1
            assert counting.tiles <= 2 * levels


def test_appending_hashes_one_node_for_each_leaf(monkeypatch: pytest.MonkeyPatch) -> None:
    count = 0

    sha256 = hashlib.sha256

    def counted(data: bytes) -> object:
        nonlocal count
        count += 1
        return sha256(data)

    leaves = leaves_up_to(2_000)
    replace_hash(counted, monkeypatch)
    edge = RightEdge(CompactRange(), [])
    for leaf in leaves:
        edge.extend([leaf])
    assert count == 2_000 - (2_000).bit_count()  # the inner nodes of the complete subtrees


# ---- damage --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 255, 256, 300, 65_793])
def test_an_edge_loads_from_its_own_tiles_only(size: int) -> None:
    edge = RightEdge(CompactRange(), [])
    stored = edge.extend(leaves_up_to(size))
    assert RightEdge.load(edge.tree, reader_of(stored)).partial == edge.partial
    for level, hashes in enumerate(edge.partial):
        place = (level, (size >> 8 * level) // TILE_WIDTH)
        for at in range(0, len(hashes), 97):
            damaged = bytearray(hashes)
            damaged[at] ^= 1
            with pytest.raises(TileError):
                RightEdge.load(edge.tree, reader_of({**stored, place: bytes(damaged)}))
        if hashes:
            with pytest.raises(TileError):
                RightEdge.load(edge.tree, reader_of({**stored, place: hashes[:-1]}))


@pytest.mark.parametrize("partial", [[], [bytes(32)], [bytes(32 * 44), b"", bytes(32)], [b"x"]])
def test_tiles_of_another_size_are_refused(partial: list[bytes]) -> None:
    edge = RightEdge(CompactRange(), [])
    edge.extend(leaves_up_to(300))
    with pytest.raises(TileError, match="300"):
        RightEdge(edge.tree, partial)


def test_a_tile_that_is_cut_short_is_named() -> None:
    edge = RightEdge(CompactRange(), [])
    stored = edge.extend(leaves_up_to(300))
    stored[0, 1] = stored[0, 1][:-1]
    with pytest.raises(TileError, match=r"tile/0/001\.p/44"):
        prove_inclusion(299, 300, hash_reader(300, reader_of(stored)))


def test_every_tile_and_bundle_has_one_path() -> None:
    indexes = [0, 9, 99, 999, 1_000, 999_999, 1_000_000, SIZE_MAX]
    for before, index in pairwise([-1, *indexes]):
        assert before < index
        for width in (1, 9, 255, 256):
            assert parse_tile_path(tile_path(Tile(63, index, width))) == (63, index, width)
            assert parse_tile_path(entries_path(index, width)) is None


@pytest.mark.parametrize(
    "path",
    [
        "", "tile", "tile/0", "tile/0/", "/tile/0/000", "tile/0/000/", "tile/00/000", "tile/64/000",
        "tile/0/0", "tile/0/0000", "tile/0/x000/001", "tile/0/x001/x002", "tile/0/000.p/0",
        "tile/0/000.p/01", "tile/0/000.p/256", "tile/0/000.p/+1", "tile/0/000\n",
        "tile/0/\u0660\u0660\u0660",
        "tile/entries/x000/000", "tile/entries/000.p/256",
        "tile/0/x009/x223/x372/x036/x854/x775/808",
    ],
)  # fmt: skip
def test_a_path_with_another_spelling_is_none(path: str) -> None:
    assert parse_tile_path(path) is None


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=TILE_WIDTH))
def test_entries_come_back_from_their_bundle(entries: list[bytes]) -> None:
    bundle = encode_entries(entries)
    assert decode_entries(bundle) == entries
    with pytest.raises(EntriesError):
        decode_entries(bundle[:-1])


@pytest.mark.parametrize("bundle", [b"", b"\x00", b"\x00\x02a", bytes(2 * 257), b"\x00\x00\x00"])
def test_bytes_that_are_no_bundle_are_refused(bundle: bytes) -> None:
    with pytest.raises(EntriesError):
        decode_entries(bundle)


def test_the_biggest_entry_fits() -> None:
    entry = bytes(ENTRY_BYTES_MAX)
    assert decode_entries(encode_entries([entry, b""])) == [entry, b""]
