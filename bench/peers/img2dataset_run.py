"""Runs img2dataset over a list of addresses and prints what it took; started by the peer's own Python.

    python img2dataset_run.py URLS OUTPUT_FOLDER THREADS decode|copy

All of its checks are on that have a counterpart in ours; with `copy` it looks into no picture. Its worker runs in this
process instead of one of its own, and its logger's process is left out: what is measured is the work alone, without
starting Python and importing. A few addresses are done first, unmeasured.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path

peer = importlib.import_module("img2dataset.main")  # the package has a function of that name

WARM_UP = 50


class NoLogger:
    done_shards: frozenset[int]

    def __init__(self, *args: object) -> None:
        pass

    def start(self) -> None:
        pass

    def join(self) -> None:
        pass


def run(urls: list[str], folder: Path, threads: int, decode: bool) -> dict[str, float]:
    took: dict[str, float] = {}

    def here(_processes: int, downloader, reader, *_rest: object) -> None:
        began, began_cpu = time.perf_counter(), time.process_time()
        for row in reader:
            done, _ = downloader(row)
            assert done
        took.update(seconds=time.perf_counter() - began, cpu_s=time.process_time() - began_cpu)

    peer.multiprocessing_distributor = here
    peer.LoggerProcess = NoLogger
    folder.mkdir(parents=True)
    listed = folder.with_suffix(".txt")
    listed.write_text("\n".join(urls))
    peer.download(
        url_list=str(listed),
        output_folder=str(folder),
        output_format="files",
        processes_count=1,
        thread_count=threads,
        number_sample_per_shard=len(urls),
        resize_mode="no",
        skip_reencode=True,  # stored as fetched, as we do
        disable_all_reencoding=not decode,
        compute_hash="sha256",
        min_image_size=96,
        max_image_area=36_000_000,
        max_aspect_ratio=4.0,
        timeout=20,
        retries=3,
        user_agent_token="bench",
    )
    took["pictures"] = sum(1 for _ in folder.glob("*/*.jpg"))
    return took


def main() -> None:
    urls = Path(sys.argv[1]).read_text().split()
    folder, threads, decode = Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "decode"
    run(urls[:WARM_UP], folder / "warm-up", threads, decode)
    print(json.dumps(run(urls, folder / "measured", threads, decode)))


if __name__ == "__main__":
    main()
