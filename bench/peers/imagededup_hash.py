"""Lets imagededup hash pictures with its methods that need no network; started by the peer's own Python.

    python imagededup_hash.py FOLDER METHOD...

For each of PHash, AHash, DHash, WHash that is named, a line of JSON: the method and a hash of 16 hexadecimal digits for
each file of the folder, by name.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

from imagededup import methods


def main() -> None:
    logging.disable(logging.INFO)
    files = sorted(Path(sys.argv[1]).iterdir())
    for name in sys.argv[2:]:
        method = getattr(methods, name)(verbose=False)
        print(json.dumps([name, {file.name: method.encode_image(str(file)) for file in files}]), flush=True)


if __name__ == "__main__":
    main()
