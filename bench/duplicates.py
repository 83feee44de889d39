"""Find what was kept before: our index of 64-bit hashes beside faiss and imagededup, and the whole linking.

1. The index (`curate.duplicates.hash_index`): 10,000 new hashes against 1,000,000 kept ones, within 8 bits, beside
   faiss's `IndexBinaryFlat.range_search`, by turns in one process, with one thread and with as many as faiss takes by
   itself (ours always has one); faiss's multi-index hashing, `IndexBinaryMultiHash` of 3 x 21 bits with 2 flips, once.
   The hashes are distributed as real ones (`hash_model.py`), and uniformly besides; 3,000 of the new ones are kept ones
   with 0 to 6 bits flipped. All must find the same pairs.
2. imagededup's `find_duplicates` over the hashes of n pictures, in its own environment (installed the first time), and
   ours over the same ones, the making of the index included; both must find the same pairs.
3. `curate.duplicates.linking.link`: 10,000 new pictures in all their views against 1,000,000, 64 bits proposing and 256
   bits and colour confirming. 3,000 of the new ones are kept ones again, changed a little.

Compared are CPU seconds of the process, since other work may share the machine, and wall time where threads matter:
medians of the rounds, ratios of pairs of rounds.

    python bench/duplicates.py                  all three
    python bench/duplicates.py --ten-million    the first at 10,000,000 kept (one round), with memory
    python bench/duplicates.py --only index     or peers, or link
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from hash_model import PART, Pictures, hashes64, hashes256, real_pictures, thumbs
from numpy.typing import NDArray
from peers.installing import WORK, peer_python

from lvbag.curate.duplicates.hash_index import HashIndex

HERE = Path(__file__).resolve().parent
RADIUS = 8
NEW, RELISTED = 10_000, 3_000
PEER_SIZES = {"brute_force_cython": (1_000, 5_000, 10_000), "bktree": (500, 1_000)}
Codes = NDArray[np.uint64]


@dataclass(frozen=True)
class Took:
    cpu_s: float
    wall_s: float
    result: Any


def timed(step: Callable[[], Any]) -> Took:
    began, began_cpu = time.perf_counter(), time.process_time()
    result = step()
    return Took(time.process_time() - began_cpu, time.perf_counter() - began, result)


def peak_mb() -> float:
    """Of this process's memory; what `getrusage` says holds the peak of the process that started it."""
    return int(re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[0]) / 1024


# ------------------------------------------------------------------ hashes


def kept_and_new(pictures: Pictures | None, kept: int, rng: np.random.Generator) -> tuple[Codes, Codes]:
    """Hashes as real ones, uniformly random without pictures; some of the new ones are kept ones changed a little."""
    if pictures is None:
        codes = rng.integers(0, 2**64, kept + NEW, dtype=np.uint64)
    else:
        codes = pictures.codes(kept + NEW, rng)
    new = codes[kept:].copy()
    again = codes[rng.integers(0, kept, RELISTED)]
    for flip in range(6):
        places = rng.integers(0, 64, RELISTED).astype(np.uint64)
        again ^= (rng.integers(0, 7, RELISTED) > flip).astype(np.uint64) << places
    new[:RELISTED] = again
    return codes[:kept].copy(), new[rng.permutation(NEW)]


def pairs_within(codes: Codes, radius: int, sample: int = 2_000) -> float:
    """The share of pairs of different pictures that lie within a distance."""
    some = codes[:sample]
    near = sum(int((np.bitwise_count(code ^ codes) <= radius).sum()) for code in some)
    return (near - len(some)) / (len(some) * (len(codes) - 1))


def print_pairs(what: str, radius: int, real: Codes, drawn: Codes) -> None:
    """How alike the pictures are that are searched here, and how alike real ones are."""
    shares = f"{pairs_within(real, radius):.1e} of the pairs of {len(real):,} real pictures"
    print(f"duplicates: {what} are {shares} and {pairs_within(drawn, radius, 200):.1e} of the drawn ones'")


# ------------------------------------------------------------------ the index beside faiss


def as_bytes(codes: Codes) -> NDArray[np.uint8]:
    return codes.view(np.uint8).reshape(-1, 8)


def check_equal(ours: tuple[NDArray[np.int64], NDArray[np.int64]], theirs: Any) -> int:
    bounds, _, found = theirs
    queries = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds.astype(np.int64)))
    order = np.lexsort((found, queries))
    if not (np.array_equal(queries[order], ours[0]) and np.array_equal(found[order], ours[1])):
        raise SystemExit("ours and faiss found other pairs")
    return len(found)


def compare_index(name: str, kept: Codes, new: Codes, rounds: int, threads: int) -> None:

    made = timed(lambda: HashIndex(kept))
    index = made.result
    flat = faiss.IndexBinaryFlat(64)
    flat.add(as_bytes(kept))

    def search_flat(count: int) -> Took:
        faiss.omp_set_num_threads(count)
        return timed(lambda: flat.range_search(as_bytes(new), RADIUS + 1))  # strictly below

    own: list[Took] = []
    one: list[Took] = []
    many: list[Took] = []
    for _ in range(rounds):
        own.append(timed(lambda: index.search(new, RADIUS)))
        one.append(search_flat(1))
        many.append(search_flat(threads))
    pairs = check_equal(own[0].result, one[0].result)
    multi = faiss.IndexBinaryMultiHash(64, 3, 21)
    multi.nflip = 2
    multi_made = timed(lambda: multi.add(as_bytes(kept)))
    faiss.omp_set_num_threads(1)
    multi_took = timed(lambda: multi.range_search(as_bytes(new), RADIUS + 1))
    check_equal(own[0].result, multi_took.result)
    print(f"duplicates: {name}: {len(new):,} new against {len(kept):,} kept, within {RADIUS} bits: {pairs:,} pairs")
    print(f"  made in {made.cpu_s:.2f} s CPU (MultiHash {multi_made.cpu_s:.2f}), {index.nbytes / 1e6:.0f} MB")
    for label, rows in (("ours", own), ("faiss flat, 1 thread", one), (f"faiss flat, {threads} threads", many)):
        cpu_s, wall_s = (statistics.median(getattr(row, column) for row in rows) for column in ("cpu_s", "wall_s"))
        print(f"  {label}: {cpu_s:.2f} s CPU, {wall_s:.2f} s wall")
    print(f"  faiss MultiHash, 1 thread, once: {multi_took.cpu_s:.2f} s CPU, {multi_took.wall_s:.2f} s wall")
    cpu = statistics.median(a.cpu_s / b.cpu_s for a, b in zip(own, one, strict=True))
    whole = statistics.median((made.cpu_s + a.cpu_s) / b.cpu_s for a, b in zip(own, one, strict=True))
    wall = statistics.median(a.wall_s / b.wall_s for a, b in zip(own, many, strict=True))
    print(f"  ratio to faiss flat: {cpu:.3f} of its CPU time ({whole:.3f} with the making of the index);", end=" ")
    print(f"{wall:.3f} of its wall time with {threads} threads")


def show_index(pictures: Pictures, rounds: int) -> None:
    rng, threads = np.random.default_rng(7), faiss.omp_get_max_threads()
    kept, new = kept_and_new(pictures, 1_000_000, rng)
    print_pairs(f"within {RADIUS} bits", RADIUS, hashes64(pictures.values)[:, 0], kept)
    compare_index("as real hashes", kept, new, rounds, threads)
    compare_index("uniform", *kept_and_new(None, 1_000_000, rng), rounds, threads)


# ------------------------------------------------------------------ ten million


def show_ten_million(pictures: Pictures, count: int = 10_000_000) -> None:
    kept, new = kept_and_new(pictures, count, np.random.default_rng(7))
    with tempfile.TemporaryDirectory(dir=WORK) as folder:
        np.save(Path(folder) / "kept.npy", kept)
        np.save(Path(folder) / "new.npy", new)
        print(run([sys.executable, __file__, "--memory-of", folder]), end="")
    compare_index("as real hashes", kept, new, 1, faiss.omp_get_max_threads())


def memory(folder: str) -> None:
    """In a process of its own: how much the index and a search take."""
    kept, new = (np.load(Path(folder) / f"{name}.npy") for name in ("kept", "new"))
    before = peak_mb()
    made = timed(lambda: HashIndex(kept))
    print(
        f"duplicates: {len(kept):,} kept: index made in {made.cpu_s:.1f} s CPU, {made.result.nbytes / 1e6:.0f} MB; "
        f"peak {peak_mb():.0f} MB, of which {before:.0f} with the hashes alone"
    )
    took = timed(lambda: sum(len(queries) for queries, _ in made.result.search_chunks(new, RADIUS)))
    print(
        f"duplicates: {len(new):,} new against them in pieces: {took.cpu_s:.2f} s CPU, {took.result:,} pairs; "
        f"peak {peak_mb():.0f} MB"
    )


# ------------------------------------------------------------------ beside imagededup


def run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-4000:]}")
    return done.stdout


def all_pairs(codes: Codes) -> Took:
    """All near pairs of some hashes; the result is what imagededup's runner says of its own."""
    took = timed(lambda: HashIndex(codes).search(codes, RADIUS))
    lines = [f"{one} {other}\n" for one, other in zip(*took.result, strict=True) if one != other]
    return replace(took, result=(len(lines), hashlib.sha256("".join(lines).encode()).hexdigest()))


def show_peers(pictures: Pictures) -> None:
    codes = pictures.codes(max(size for sizes in PEER_SIZES.values() for size in sizes), np.random.default_rng(8))
    python, runner = str(peer_python("imagededup")), str(HERE / "peers" / "imagededup_run.py")
    for method, sizes in PEER_SIZES.items():
        with tempfile.TemporaryDirectory(dir=WORK) as folder:
            paths = [Path(folder) / f"{size}.txt" for size in sizes]
            for size, path in zip(sizes, paths, strict=True):
                path.write_text("\n".join(f"{code:016x}" for code in codes[:size].tolist()))
            lines = run([python, runner, str(RADIUS), method, *map(str, paths)]).splitlines()
        for size, line in zip(sizes, lines, strict=True):
            own, peer = all_pairs(codes[:size]), json.loads(line)
            if own.result != (peer["pairs"], peer["digest"]):
                raise SystemExit(f"of {size} hashes ours found {own.result[0]} pairs, imagededup {peer['pairs']}")
            print(
                f"duplicates: all pairs of {size:,} hashes: imagededup {method} {peer['cpu_s']:.2f} s CPU, "
                f"ours {own.cpu_s:.3f} s: {peer['cpu_s'] / own.cpu_s:.0f} times as fast"
            )


# ------------------------------------------------------------------ the whole linking


def show_link(pictures: Pictures, kept: int = 1_000_000) -> None:
    """New pictures, of which some are kept ones again, against all kept."""
    from lvbag.curate.duplicates.linking import Prints, link, near_limits
    from lvbag.curate.duplicates.nearness import layouts
    from lvbag.images.fingerprints import VIEWS
    from lvbag.settings import CurateSettings

    rng = np.random.default_rng(9)
    parts: list[Prints] = []
    for _ in range(0, kept, PART):
        drawn = pictures.draw(PART, rng)
        parts.append(Prints(hashes64(drawn), hashes256(drawn), thumbs(drawn)))
    again = pictures.blurred(drawn[:RELISTED], 0.03, rng)
    known = Prints(
        np.concatenate([part.views64 for part in parts]),
        np.concatenate([part.views256 for part in parts]),
        np.concatenate([part.thumbs for part in parts]),
    )
    print_pairs("layouts within 5 cells", 5, layouts(thumbs(pictures.values)), layouts(known.thumbs))
    fresh = np.concatenate([again, pictures.draw(NEW - RELISTED, rng)])
    new = Prints(hashes64(fresh, len(VIEWS)), hashes256(fresh, len(VIEWS)), thumbs(fresh))
    took = timed(lambda: link(new, known, near_limits(CurateSettings())))
    linked = sum(one.rule is not None for one in took.result)
    found = sum(one.representative == kept - PART + number for number, one in enumerate(took.result[:RELISTED]))
    print(
        f"duplicates: link: {NEW:,} new in {len(VIEWS)} views against {kept:,}: {took.cpu_s:.1f} s CPU, "
        f"{took.wall_s:.1f} s wall; {linked:,} linked, {found:,} of {RELISTED:,} kept ones found again; "
        f"peak {peak_mb():.0f} MB, pictures and all"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ten-million", action="store_true", help="10,000,000 kept, with memory")
    parser.add_argument("--only", choices=["index", "peers", "link"])
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.memory_of:
        memory(given.memory_of)
        return
    WORK.mkdir(parents=True, exist_ok=True)
    pictures = real_pictures()
    if given.ten_million:
        show_ten_million(pictures)
        return
    if given.only in (None, "index"):
        show_index(pictures, given.rounds)
    if given.only in (None, "peers"):
        show_peers(pictures)
    if given.only in (None, "link"):
        show_link(pictures)


if __name__ == "__main__":
    main()
