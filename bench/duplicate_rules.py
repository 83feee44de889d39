"""Which pictures are called duplicates: our rule beside imagededup's methods without a network, on the same pictures.

The pictures are drawn from a seed (`bag_shots`, `picture_edits`): bags on white, each in other colours, sizes, metals,
poses and as the next piece of the same line, in one studio; every eighth is copied with each edit. Other pictures
than the rule was chosen on, by another seed. With the shared data real photographs as well, which are edited alike.

**False** are pairs of different drawn pictures that a rule calls near. Reported are their shares of all pairs of the
set and of the pairs of one design, by what differs, and the share of pictures that linking would give to another one.
**Found** are copies that are near their own original.

    python bench/duplicate_rules.py             everything
    python bench/duplicate_rules.py --only ours     or peers, or crops, or photos
    python bench/duplicate_rules.py --detector FILE.onnx    crops by another detector than the one trained here
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from bag_shots import FAMILIES, KINDS, Shot, draw, shots
from numpy.typing import NDArray
from peers.installing import peer_python
from picture_edits import COPIES, EDITS, edited, encoded
from PIL import Image

from lvbag.curate.duplicates.linking import (
    Limits,
    Prints,
    compare,
    crop_limits,
    link,
    near_limits,
    near_pairs,
    pack,
    take,
)
from lvbag.images import Fingerprint, ImageRefused, decode, look
from lvbag.images.framing import crop_fingerprint
from lvbag.infer.cropping import crop_box
from lvbag.settings import CurateSettings, ImageSettings

SEED, DESIGNS, EVERY = 11, 24, 8
LIMITS = ImageSettings()
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
METHODS = ("PHash", "AHash", "DHash", "WHash")
PEER_DEFAULT = 10
"""imagededup's own threshold, of 64 bits."""
GROUPS = {
    "resized": "resize", "recompressed": "jpeg", "watermarked": "mark",
    "light, colour": ("light", "gamma", "white", "satur"), "sharpened, blurred": ("sharpen", "blur"), "padded": "pad",
    "relisted": "relisted", "mirrored, turned": ("mirr", "turn"), "cropped": "crop",
}  # fmt: skip
RARE_KINDS = (("hardware",), ("piece",), ("hardware", "piece"))
"""What no look at a picture tells from a mark or a recompression: reported, and not among the false."""


@dataclass(frozen=True)
class Copy:
    """An edited picture: the number of its original, the edit, the file."""

    original: int
    edit: str
    data: bytes


@dataclass(frozen=True)
class Drawn:
    """The set: shots and their files, copies, and pairs of one design with what differs in them."""

    shots: list[Shot]
    files: list[bytes]
    copies: list[Copy]

    def siblings(self) -> Iterator[tuple[int, int, tuple[str, ...]]]:
        """Pairs of one design."""
        groups = defaultdict(list)
        for number, shot in enumerate(self.shots):
            groups[shot.family, shot.design].append(number)
        for numbers in groups.values():
            for one, other in combinations(numbers, 2):
                yield one, other, self.shots[one].changes(self.shots[other])


def draw_set(seed: int, designs: int) -> Drawn:
    found, files, copies = list(shots(seed, designs)), [], []
    for number, shot in enumerate(found):
        image = draw(shot)
        files.append(encoded(image))
        if number % EVERY == 0:
            copies += [Copy(number, edit, edited(image, edit, f"{seed}/{number}")) for edit in EDITS]
    return Drawn(found, files, copies)


# ------------------------------------------------------------------ counting


def say_false(who: str, drawn: Drawn, near: set[tuple[int, int]]) -> int:
    """How many pairs of different pictures are near; returns the false ones."""
    by_kind: dict[tuple[str, ...], list[bool]] = defaultdict(list)
    for one, other, kind in drawn.siblings():
        by_kind[kind].append((one, other) in near)
    told = {kind: found for kind, found in by_kind.items() if kind not in RARE_KINDS}
    wrong = sum(sum(found) for found in told.values())
    excused = sum(sum(found) for kind, found in by_kind.items() if kind in RARE_KINDS)
    every = len(drawn.files) * (len(drawn.files) - 1) // 2
    siblings = sum(len(found) for found in told.values())
    apart = len(near) - wrong - excused
    print(
        f"rules: {who}: false pairs {wrong + apart} of {every:,} ({100 * (wrong + apart) / every:.4f} %): {wrong} of "
        f"{siblings:,} pairs of one design ({100 * wrong / siblings:.2f} %), {apart} of two designs; {excused} "
        "more differ in metal or piece alone"
    )
    shown = []
    for kinds in (*((kind,) for kind in KINDS), ("colour", "size")):
        if found := by_kind.get(kinds):
            shown.append(f"{' and '.join(kinds)} {sum(found)}/{len(found)}")
    with_colour = [hit for kind, found in by_kind.items() if "colour" in kind for hit in found]
    print(
        f"rules: {who}: by what differs: {', '.join(shown)}; colour among others {sum(with_colour)}/{len(with_colour)}"
    )
    return wrong + apart


def say_quality(who: str, copies: Sequence[tuple[str, bool]], false: int) -> None:
    """Precision and recall over the copies that must be found and all pairs of different pictures."""
    hits = [hit for edit, hit in copies if edit in COPIES]
    right = sum(hits)
    precision, recall = right / max(1, right + false), right / len(hits)
    print(
        f"rules: {who}: precision {precision:.3f}, recall {recall:.3f}: {right} of {len(hits)} resized, recompressed "
        f"or watermarked copies, {false} false pairs"
    )


def say_found(who: str, copies: Sequence[tuple[str, bool]]) -> None:
    """Shares of copies that were found, by edit and by groups of edits."""
    by_edit: dict[str, list[bool]] = defaultdict(list)
    for edit, hit in copies:
        by_edit[edit].append(hit)
    for name, starts in GROUPS.items():
        edits = [edit for edit in by_edit if edit.startswith(starts)]
        hits = [hit for edit in edits for hit in by_edit[edit]]
        if hits:
            each = ", ".join(f"{edit} {100 * np.mean(by_edit[edit]):.1f}" for edit in edits)
            print(f"rules: {who}: {name}: {100 * np.mean(hits):.1f} % of {len(hits)} found ({each})")


# ------------------------------------------------------------------ ours


def show_ours(drawn: Drawn) -> None:
    prints = pack([look(data, LIMITS).print for data in drawn.files])
    limits = near_limits(CurateSettings())
    near = {(one, other) for one, other in near_pairs(prints, prints, limits) if one < other}
    near |= {(other, one) for one, other in near_pairs(prints, prints, limits) if one > other}
    false = say_false("ours", drawn, near)
    excused = {(one, other) for one, other, kind in drawn.siblings() if kind in RARE_KINDS}
    links = link(prints, take(prints, []), limits)
    given = [(place, found.representative) for place, found in enumerate(links) if found.representative != place]
    wrong = sum((other, place) not in excused for place, other in given)
    print(
        f"rules: ours: linking gives {wrong} of {len(links)} pictures ({100 * wrong / len(links):.2f} %) to another one"
    )
    hits = [(copy.edit, _is_found(copy, prints, limits)) for copy in drawn.copies]
    say_found("ours", hits)
    say_quality("ours", hits, false)


def _is_found(copy: Copy, prints: Prints, limits: Limits) -> bool:
    return compare(pack([look(copy.data, LIMITS).print]), 0, prints, copy.original, limits) is not None


def show_photos() -> None:
    """Real photographs: which are near, and which edited copies are found."""
    for folder in ("bag_types10", "backpack_yolo"):
        files = sorted(path for path in (SHARED / "photos" / folder).rglob("*") if path.is_file())
        seen: list[tuple[Path, Fingerprint, str]] = []
        for path in files:
            try:
                found = look(path.read_bytes(), LIMITS)
            except ImageRefused:
                continue
            seen.append((path, found.print, found.sha256))
        prints, limits = pack([found for _, found, _ in seen]), near_limits(CurateSettings())
        near = [(one, other) for one, other in near_pairs(prints, prints, limits) if one < other]
        equal = sum(seen[one][2] == seen[other][2] for one, other in near)
        print(
            f"rules: photos: {folder}: {len(seen)} pictures, {len(near)} near pairs, {equal} of them of the same bytes"
        )
        hits = []
        for number in range(0, len(seen), 6):
            image = decode(seen[number][0].read_bytes(), LIMITS)
            for edit in EDITS:
                try:
                    copy = Copy(number, edit, edited(image, edit, f"photo/{number}"))
                    hits.append((edit, _is_found(copy, prints, limits)))
                except ImageRefused:  # a small one made smaller
                    continue
        say_found(f"photos: {folder}", hits)


# ------------------------------------------------------------------ crops


def show_crops(drawn: Drawn, detector: Path | None) -> None:
    """What comparing crops finds beyond whole pictures, through a detector that was trained on other pictures."""
    from bag_detector import bag_detector, best_box

    finder, curate = bag_detector(detector), CurateSettings()

    def crop_print(data: bytes) -> Fingerprint | None:
        image = decode(data, LIMITS)
        box = best_box(finder.detect([image])[0])
        if box is None:
            return None
        stored = encoded(crop_box(image, box, curate.crop_margin, curate.crop_side_px))
        return crop_fingerprint(Image.open(io.BytesIO(stored)).convert("RGB"))

    found = [crop_print(data) for data in drawn.files]
    seen = [number for number, one in enumerate(found) if one is not None]
    print(f"rules: crops: a bag is found in {len(seen)} of {len(found)} pictures")
    prints, limits = pack([one for one in found if one is not None]), crop_limits(curate)
    place = {number: at for at, number in enumerate(seen)}
    near = {(seen[one], seen[other]) for one, other in near_pairs(prints, prints, limits) if one < other}
    near |= {(seen[other], seen[one]) for one, other in near_pairs(prints, prints, limits) if one > other}
    say_false("crops", drawn, near)
    hits, either = [], []
    whole = pack([look(data, LIMITS).print for data in drawn.files])
    for copy in drawn.copies:
        if not copy.edit.startswith(("crop", "pad", "resize", "relisted")):
            continue
        mine = crop_print(copy.data)
        hit = (
            mine is not None
            and copy.original in place
            and compare(pack([mine]), 0, prints, place[copy.original], limits) is not None
        )
        hits.append((copy.edit, hit))
        either.append((copy.edit, hit or _is_found(copy, whole, near_limits(curate))))
    say_found("crops", hits)
    say_found("crops or whole pictures", either)


# ------------------------------------------------------------------ peers


def show_peers(drawn: Drawn) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, data in enumerate(drawn.files):
            (folder / f"{number:05d}.jpg").write_bytes(data)
        for number, copy in enumerate(drawn.copies):
            (folder / f"copy{number:05d}.{'webp' if copy.edit == 'jpeg_webp' else 'jpg'}").write_bytes(copy.data)
        mods = SHARED / "neardup" / "bridge-mods"
        for path in sorted(mods.iterdir()) if mods.is_dir() else ():
            (folder / f"mod-{path.name}").write_bytes(path.read_bytes())
        for method, hashes in _peer_hashes(folder):
            codes = {file: np.uint64(int(value, 16)) for file, value in hashes.items()}
            _show_peer(drawn, method, codes)


def _peer_hashes(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    runner = Path(__file__).resolve().parent / "peers" / "imagededup_hash.py"
    done = subprocess.run(
        [str(peer_python("imagededup")), str(runner), str(folder), *METHODS],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"imagededup failed:\n{done.stderr[-4000:]}")
    for line in done.stdout.splitlines():
        name, hashes = json.loads(line)
        yield name, hashes


def _show_peer(drawn: Drawn, method: str, codes: dict[str, np.uint64]) -> None:
    own = np.array([codes[f"{number:05d}.jpg"] for number in range(len(drawn.files))])
    names = sorted(file for file in codes if file.startswith("copy"))
    apart = np.array(
        [np.bitwise_count(codes[file] ^ own[copy.original]) for file, copy in zip(names, drawn.copies, strict=True)]
    )
    pairs = np.triu_indices(len(own), 1)
    between = np.bitwise_count(own[pairs[0]] ^ own[pairs[1]])
    wanted = np.array([copy.edit in COPIES for copy in drawn.copies])
    told = np.ones(len(between), dtype=bool)
    places = {pair: at for at, pair in enumerate(zip(*(side.tolist() for side in pairs), strict=True))}
    for one, other, kind in drawn.siblings():
        if kind in RARE_KINDS:
            told[places[one, other]] = False
    best = max(range(33), key=lambda radius: _f1(apart[wanted] <= radius, between[told] <= radius))
    for title, radius in (("its default", PEER_DEFAULT), ("the threshold with the best F1", best)):
        near = {(int(one), int(other)) for one, other in zip(*(side[between <= radius] for side in pairs), strict=True)}
        who = f"imagededup {method} at {radius} ({title})"
        false = say_false(who, drawn, near)
        hits = [(copy.edit, bool(hit)) for copy, hit in zip(drawn.copies, apart <= radius, strict=True)]
        say_found(who, hits)
        say_quality(who, hits, false)
        mods = [code for file, code in codes.items() if file.startswith("mod-")]
        if mods:
            near_mods = sum(int(np.bitwise_count(codes["mod-aaa-orig.jpg"] ^ code)) <= radius for code in mods)
            print(f"rules: {who}: {near_mods} of {len(mods)} bridge-mods")


def _f1(hits: NDArray[np.bool_], false: NDArray[np.bool_]) -> float:
    right = float(hits.sum())
    return 2 * right / (len(hits) + right + float(false.sum()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--designs", type=int, default=DESIGNS, help="of each of three families")
    parser.add_argument("--only", choices=["ours", "crops", "peers", "photos"])
    parser.add_argument("--detector", type=Path, help="an ONNX file; trained here when left out")
    given = parser.parse_args()
    if given.only in (None, "photos") and SHARED.is_dir():
        show_photos()
    if given.only == "photos":
        return
    drawn = draw_set(given.seed, given.designs)
    counts = Counter(shot.family for shot in drawn.shots)
    print(
        f"rules: {len(drawn.files)} pictures ({', '.join(f'{family} {counts[family]}' for family in FAMILIES)}) and "
        f"{len(drawn.copies)} copies, seed {given.seed}"
    )
    if given.only in (None, "ours"):
        show_ours(drawn)
    if given.only in (None, "crops"):
        show_crops(drawn, given.detector)
    if given.only in (None, "peers"):
        show_peers(drawn)


if __name__ == "__main__":
    main()
