"""The geometry of detections that rules speak of: areas, overlaps, borders. All lengths are shares of the picture."""

from __future__ import annotations

from lvbag.infer import Detection


def area(box: Detection) -> float:
    """The share of the picture's area that a box covers."""
    return max(0.0, box.x1 - box.x0) * max(0.0, box.y1 - box.y0)


def overlap(one: Detection, other: Detection) -> bool:
    """Whether two boxes share any area."""
    return min(one.x1, other.x1) > max(one.x0, other.x0) and min(one.y1, other.y1) > max(one.y0, other.y0)


def borders(box: Detection, distance: float, contact: float) -> tuple[str, ...]:
    """The borders (`left` or `right`, `top` or `bottom`) at which a box ends, while it does not reach the opposite one.

    It ends where it comes closer than `distance` and takes at least `contact` of the border's length. A box that
    reaches two opposite borders fills the frame from one to the other, as tight pack-shots do: neither is named.
    """
    width, height = box.x1 - box.x0, box.y1 - box.y0
    found = []
    for low, high, length, names in (
        (box.x0, box.x1, height, ("left", "right")),
        (box.y0, box.y1, width, ("top", "bottom")),
    ):
        at = (low <= distance, high >= 1.0 - distance)
        if length >= contact and at[0] != at[1]:
            found.append(names[0] if at[0] else names[1])
    return tuple(found)


def reach(box: Detection, axis: int, distance: float, contact: float) -> float:
    """How clearly a box ends at just one border of an axis (0: left and right, 1: top and bottom), from -1 to 1.

    Above 0 where `borders` names one. A border is reached by how much closer the box comes than `distance`, as a share
    of it; the length there is compared with `contact` in the same way.
    """
    low, high = (box.x0, box.x1) if axis == 0 else (box.y0, box.y1)
    length = box.y1 - box.y0 if axis == 0 else box.x1 - box.x0
    ends = [1 - gap / distance if distance > 0 else float(gap <= 0) - 0.5 for gap in (low, 1 - high)]
    touches = length / contact - 1 if contact > 0 else 1.0
    return max(-1.0, min(1.0, max(ends), -min(ends), touches))
