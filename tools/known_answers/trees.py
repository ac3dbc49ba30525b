"""Known answers about trees: hashes, proofs genuine and damaged, and tiles."""

from collections.abc import Callable, Iterator

from tools.known_answers.primitives import (
    ORIGIN,
    ORIGIN_KEY,
    WITNESSES,
    Case,
    b64,
    b64s,
    checkpoint,
    consistency,
    entries,
    flip,
    hashes,
    inclusion,
    leaf,
    node,
    note,
    root,
    sha,
    split,
)

Document = Case
SIZES = (1, 2, 3, 4, 7, 8, 11)
HUGE = 961_984_013
NOW = 1_790_000_000


def document(title: str, cases: list[Case], **more: object) -> Document:
    """Return a file of known answers."""
    return {"title": title, **more, "cases": cases}


def tree_hashes() -> Document:
    """Return leaves, nodes and roots."""
    cases: list[Case] = [
        {
            "id": f"own-leaf-{n}",
            "op": "leaf",
            "data_hex": data.hex(),
            "expect_hex": leaf(data).hex(),
        }
        for n, data in enumerate([b"", b"\x00", b"\x01", *entries(6)])
    ]
    for n in range(4):
        left, right = hashes(n + 2)[n:]
        told = {"left_hex": left.hex(), "right_hex": right.hex()}
        cases.append(
            {"id": f"own-node-{n}", "op": "node", **told, "expect_hex": node(left, right).hex()}
        )
    for size in range(18):
        leaves = [data.hex() for data in entries(size)]
        told_root = root(hashes(size)).hex()
        cases.append(
            {"id": f"own-root-{size}", "op": "root", "leaves_hex": leaves, "expect_hex": told_root}
        )
    return document("Leaves, nodes and roots of RFC 6962", cases)


def _damaged(proof: list[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    yield "garbage-before", [bytes(32), *proof]
    yield "garbage-after", [*proof, bytes(32)]
    for at in range(len(proof)):
        yield f"bit-{at}", [*proof[:at], flip(proof[at], at), *proof[at + 1 :]]
        yield f"without-{at}", proof[:at] + proof[at + 1 :]
    if len(proof) > 1 and proof[0] != proof[1]:
        yield "swapped", [proof[1], proof[0], *proof[2:]]


def inclusions() -> Document:
    """Return inclusion proofs of small trees, and what is wrong about each in turn."""
    cases: list[Case] = []
    for size in SIZES:
        leaves = hashes(size)
        for index in sorted({0, size // 2, size - 1}):
            good = {"leaf_index": index, "tree_size": size, "leaf_hash": b64(leaves[index])}
            proof = inclusion(index, leaves)
            good |= {"root": b64(root(leaves)), "proof": b64s(proof)}
            bad: dict[str, Case] = {
                "root": {"root": b64(flip(root(leaves)))},
                "empty-root": {"root": b64(sha())},
                "no-root": {"root": None},
                "leaf": {"leaf_hash": b64(flip(leaves[index]))},
                "index-beyond": {"leaf_index": size},
                "index-huge": {"leaf_index": 2**63 + index},
            }
            if size > 1:
                bad["index"] = {"leaf_index": index ^ 1}
                bad["no-proof"] = {"proof": None}
            bad |= {what: {"proof": b64s(other)} for what, other in _damaged(proof)}
            cases += _family(f"own-{index}-of-{size}", good, bad)
    return document("Inclusion proofs of RFC 6962", cases)


def _family(name: str, good: Case, bad: dict[str, Case]) -> list[Case]:
    """Return a genuine case and its damaged relatives."""
    return [
        {"id": name, **good, "expect": "valid"},
        *(
            {"id": f"{name}~{what}", **good, **change, "expect": "invalid"}
            for what, change in bad.items()
        ),
    ]


def consistencies() -> Document:
    """Return consistency proofs of small trees, and what is wrong about each in turn."""
    cases: list[Case] = []
    for size in SIZES:
        for old in sorted({1, max(1, size // 2), max(1, size - 1), size}):
            leaves = hashes(size)
            proof = consistency(old, leaves)
            roots = {"root1": b64(root(leaves[:old])), "root2": b64(root(leaves))}
            good = {"size1": old, "size2": size, **roots, "proof": b64s(proof)}
            bad: dict[str, Case] = {
                "root1": {"root1": b64(flip(root(leaves[:old])))},
                "root2": {"root2": b64(flip(root(leaves), 31))},
                "from-nothing": {"size1": 0, "root1": b64(sha())},
                "backwards": {"size1": size + 1},
            }
            if old < size:
                bad["no-proof"] = {"proof": None}
            bad |= {what: {"proof": b64s(other)} for what, other in _damaged(proof)}
            cases += _family(f"own-{old}-to-{size}", good, bad)
    return document("Consistency proofs of RFC 6962", cases)


class Uniform:
    """The leaves of a huge tree, all alike but one, of which no more is hashed than is asked."""

    def __init__(self, size: int, odd: int) -> None:
        self.size, self.odd = size, odd
        self._alike = [leaf(b"alike")]
        while len(self._alike) <= size.bit_length():
            self._alike.append(node(self._alike[-1], self._alike[-1]))

    def root(self, start: int, size: int) -> bytes:
        """Return the root of a range that is a subtree."""
        if size == 1 and start == self.odd:
            return leaf(b"odd")
        if not start <= self.odd < start + size and size & (size - 1) == 0:
            return self._alike[size.bit_length() - 1]
        at = split(size)
        return node(self.root(start, at), self.root(start + at, size - at))

    def inclusion(self, index: int, start: int, size: int) -> list[bytes]:
        """Return the path of a leaf of a range."""
        if size == 1:
            return []
        at = split(size)
        if index < start + at:
            return [*self.inclusion(index, start, at), self.root(start + at, size - at)]
        return [*self.inclusion(index, start + at, size - at), self.root(start, at)]

    def consistency(self, old: int, start: int, size: int, *, is_whole: bool) -> list[bytes]:
        """Return the proof between a range's first leaves and all of them."""
        if old == size:
            return [] if is_whole else [self.root(start, size)]
        at = split(size)
        if old <= at:
            first = self.consistency(old, start, at, is_whole=is_whole)
            return [*first, self.root(start + at, size - at)]
        first = self.consistency(old - at, start + at, size - at, is_whole=False)
        return [*first, self.root(start, at)]


def huge() -> Document:
    """Return proofs of a tree of nearly a thousand million leaves."""
    cases: list[Case] = []
    for index in (10_000, HUGE - 1):
        tree = Uniform(HUGE, index)
        whole = tree.root(0, HUGE)
        proof = tree.inclusion(index, 0, HUGE)
        good = {"kind": "inclusion", "leaf_data": b64(b"odd"), "leaf_index": index}
        good |= {"tree_size": HUGE, "root": b64(whole), "proof": b64s(proof)}
        bad: dict[str, Case] = {
            "index": {"leaf_index": index ^ 1},
            "leaf": {"leaf_data": b64(b"alike")},
            "root": {"root": b64(flip(whole))},
        }
        bad |= {what: {"proof": b64s(other)} for what, other in _damaged(proof)}
        cases += _family(f"own-{index}-of-huge", good, bad)
    tree, old = Uniform(HUGE, 3_000_000), 3_654_490
    proof = tree.consistency(old, 0, HUGE, is_whole=True)
    first, whole = tree.root(0, old), tree.root(0, HUGE)
    good = {"kind": "consistency", "size1": old, "root1": b64(first), "size2": HUGE}
    good |= {"root2": b64(whole), "proof": b64s(proof)}
    bad = {"size1": {"size1": old + 1}, "root2": {"root2": b64(flip(whole))}}
    bad |= {what: {"proof": b64s(other)} for what, other in _damaged(proof)}
    cases += _family("own-consistency-of-huge", good, bad)
    return document("Proofs of a huge tree, of leaves that are alike but one", cases)


def _proofs(pairs: list[tuple[int, int]], leaves: list[bytes]) -> list[Case]:
    """Return the proofs for pairs of an index and a size, and of an old size and a size."""
    cases: list[Case] = []
    for index, size in pairs:
        tree = leaves[:size]
        told = {"leaf_index": index, "tree_size": size, "leaf_hash": b64(tree[index])}
        told |= {"root": b64(root(tree)), "proof": b64s(inclusion(index, tree))}
        cases.append({"id": f"own-inc-{index}-of-{size}", "op": "inclusion", **told})
        old = index + 1
        told = {"size1": old, "size2": size, "root1": b64(root(tree[:old]))}
        told |= {"root2": b64(root(tree)), "proof": b64s(consistency(old, tree))}
        cases.append({"id": f"own-con-{old}-to-{size}", "op": "consistency", **told})
    return cases


def generation() -> Document:
    """Return every proof of every tree of up to nine leaves."""
    pairs = [(index, size) for size in range(1, 10) for index in range(size)]
    texts = [data.decode() for data in entries(9)]
    return document("Proofs to generate", _proofs(pairs, hashes(9)), leaves_utf8=texts)


def tiles() -> Document:
    """Return a tree of 300 leaves as tiles, its cosigned checkpoint, and proofs from the tiles."""
    leaves = hashes(300)
    text = checkpoint(ORIGIN, leaves)
    lines = [ORIGIN_KEY.line(text), WITNESSES[0].line(text, NOW)]
    pairs = [(0, 300), (127, 300), (255, 256), (255, 300), (256, 257), (256, 300), (299, 300)]
    return document(
        "A tree as tiles, and proofs from them",
        _proofs(pairs, leaves),
        checkpoint=note(text, *lines),
        cosigner_vkey=WITNESSES[0].vkey,
        tiles={
            "tile/0/000": b64(b"".join(leaves[:256])),
            "tile/0/001.p/44": b64(b"".join(leaves[256:])),
            "tile/1/000.p/1": b64(root(leaves[:256])),
        },
    )


def tiled_log() -> Document:
    """Return all that a log of up to nine entries publishes, at each size."""
    cases: list[Case] = []

    def publish(size: int, path: str, data: bytes) -> None:
        place = {"path": path, "tree_size": size, "data": b64(data)}
        cases.append({"id": f"own-{size}-{path.replace('/', '-')}", **place})

    for size in range(10):
        text = checkpoint(ORIGIN, hashes(size))
        publish(size, "checkpoint", note(text, ORIGIN_KEY.line(text)).encode())
        if size:
            bundle = b"".join(len(data).to_bytes(2, "big") + data for data in entries(size))
            publish(size, f"tile/entries/000.p/{size}", bundle)
            publish(size, f"tile/0/000.p/{size}", b"".join(hashes(size)))
    more = {"origin": ORIGIN, "log_vkey": ORIGIN_KEY.vkey}
    return document("A small log as it is published", cases, **more)


def _path(index: int) -> str:
    """Return an index as its digits lie in folders."""
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    return "/".join([f"x{group}" for group in groups[:-1]] + [groups[-1]])


def layout() -> Document:
    """Return where tiles and bundles lie, which paths are none, and which tiles a size has."""
    cases: list[Case] = []

    def add(op: str, expect: object, **told: object) -> None:
        words = "-".join(str(value) for value in told.values())
        cases.append({"id": f"own-{op}-{words}", "op": op, **told, "expect": expect})

    for index in (0, 7, 999, 1_000, 1_234_067, 31_604_937_984):
        for width in (0, 1, 255):
            part = f".p/{width}" if width else ""
            add("entries_path", f"tile/entries/{_path(index)}{part}", index=index, width=width)
            for level in (0, 1, 7):
                expect = f"tile/{level}/{_path(index)}{part}"
                add("tile_path", expect, level=level, index=index, width=width)
    for at, size in [(0, 1), (255, 256), (255, 257), (256, 257), (70_000, 70_001), (511, 600)]:
        width = min(256, size - at // 256 * 256) % 256
        part = f".p/{width}" if width else ""
        expect = f"tile/entries/{_path(at // 256)}{part}"
        add("entries_path_for_log_index", expect, leaf_index=at, tree_size=size)
    for level, index in [(0, 0), (0, 256), (7, 1), (7, 2), (8, 255), (8, 256), (17, 3)]:
        first = index << level % 8
        place = {"tile_level": level // 8, "tile_index": first // 256}
        place |= {"node_level": level % 8, "node_index": first % 256 >> level % 8}
        add("node_to_tile", place, tree_level=level, tree_index=index)
    for size in (1, 255, 256, 257, 65_536, 70_000, 16_777_217):
        rows = [
            {"level": n, "full": count // 256, "partial_width": count % 256}
            for n in range(8)
            if (count := size >> 8 * n)
        ]
        add("tiles_for_size", rows, tree_size=size)
    for text, index in [("000", 0), ("x001/000", 1_000), ("x012/x345/678", 12_345_678)]:
        for part, width in [("", 0), (".p/1", 1), (".p/255", 255)]:
            expect_parsed = {"level": 3, "index": index, "width": width}
            add("parse_tile_path", expect_parsed, level_str="3", index_str=text + part)
    for text in ("0", "0000", "x000/000", "x001", "001/002", "000.p/", "000.p/0", "000.p/256"):
        add("parse_tile_path", None, level_str="3", index_str=text)
    for level_text in ("64", "-1", "03", "+3", ""):
        add("parse_tile_path", None, level_str=level_text, index_str="000")
    return document("Where tiles and bundles lie", cases)


FILES: dict[str, Callable[[], Document]] = {
    "rfc6962_hash.json": tree_hashes,
    "merkle_inclusion.json": inclusions,
    "merkle_consistency.json": consistencies,
    "merkle_real_world_ct.json": huge,
    "proof_generation.json": generation,
    "tlog_tiles_300.json": tiles,
    "tlog_tiles_fixture.json": tiled_log,
    "tile_layout.json": layout,
}
