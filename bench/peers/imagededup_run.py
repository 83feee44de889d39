"""Lets imagededup find all near pairs of some hashes and prints what it took; started by the peer's own Python.

    python imagededup_run.py RADIUS brute_force_cython|bktree HASHES...

HASHES are files with a hash of 16 hexadecimal digits on each line; a line is printed for each. The peer's pool of
processes is left out, which gets all hashes anew with every hundred queries: the search runs in this process. Measured
is the search alone, without starting Python and importing.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from imagededup.handlers.search import retrieval
from imagededup.methods import PHash


def here(step: Callable[[object], object], items: list[object], *_: object, **__: object) -> list[object]:
    return [step(item) for item in items]


def search(path: Path, radius: int, method: str) -> dict[str, float | int | str]:
    encodings = {str(number): value for number, value in enumerate(path.read_text().split())}
    began, began_cpu = time.perf_counter(), time.process_time()
    found = PHash(verbose=False).find_duplicates(
        encoding_map=encodings, max_distance_threshold=radius, search_method=method
    )
    took = {"seconds": time.perf_counter() - began, "cpu_s": time.process_time() - began_cpu}
    pairs = sorted((int(one), int(other)) for one, others in found.items() for other in others)
    lines = "".join(f"{one} {other}\n" for one, other in pairs)
    return {**took, "pairs": len(pairs), "digest": hashlib.sha256(lines.encode()).hexdigest()}


def main() -> None:
    logging.disable(logging.INFO)
    warnings.simplefilter("ignore")
    retrieval.parallelise = here
    for path in sys.argv[3:]:
        print(json.dumps(search(Path(path), int(sys.argv[1]), sys.argv[2])))


if __name__ == "__main__":
    main()
