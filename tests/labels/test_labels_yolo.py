"""Parsers of YOLO 1.1 texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvbag.labels.yolo import Paths, Row, decode_text, lines, parse_data, parse_names, parse_rows


def kinds(text: str, classes: int = 2) -> list[tuple[int, str]]:
    return [(defect.line, defect.kind) for defect in parse_rows(text, "a.txt", classes)[1]]


def test_a_row_becomes_a_box_in_shares() -> None:
    rows, defects = parse_rows("1 0.5 0.5 0.2 0.4\n", "a.txt", 2)
    assert rows == [Row(1, 0.4, 0.3, 0.6, 0.7)]
    assert defects == []


@pytest.mark.parametrize("text", ["", "\n", "\r\n  \r\n", "﻿"])
def test_an_empty_label_file_is_background_and_no_defect(text: str) -> None:
    assert parse_rows(decode_text(text.encode()), "a.txt", 1) == ([], [])


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ("0 0.5 0.5 0.2", "bad-row"),
        ("0 0.5 0.5 0.2 0.4 0.9", "bad-row"),
        ("bag 0.5 0.5 0.2 0.4", "bad-row"),
        ("0 0,5 0.5 0.2 0.4", "bad-row"),
        ("0 nan 0.5 0.2 0.4", "bad-row"),
        ("0 0.5 inf 0.2 0.4", "bad-row"),
        ("2 0.5 0.5 0.2 0.4", "unknown-class"),
        ("-1 0.5 0.5 0.2 0.4", "unknown-class"),
        ("0 0.5 0.5 0 0.4", "box-empty"),
        ("0 0.5 0.5 -0.2 0.4", "box-empty"),
        ("0 0.5 0.5 0.0000001 0.4", "box-empty"),
        ("0 0.95 0.5 0.3 0.4", "box-outside"),
        ("0 320 240 100 80", "box-outside"),
    ],
)
def test_a_wrong_row_is_named_with_its_line(row: str, kind: str) -> None:
    assert kinds(f"0 0.5 0.5 0.1 0.1\r\n\r\n{row}\r\n") == [(3, kind)]


def test_a_box_that_slips_over_the_edge_is_cut_there() -> None:
    rows, defects = parse_rows("0 0.10 0.5 0.21 0.4", "a.txt", 1)
    assert (rows[0].x0, defects) == (0.0, [])


@given(st.text(max_size=200))
def test_any_text_gives_boxes_inside_the_picture_or_defects(text: str) -> None:
    rows, defects = parse_rows(text, "a.txt", 3)
    assert len(rows) + len(defects) == len(list(lines(text)))
    for row in rows:
        assert 0 <= row.x0 < row.x1 <= 1
        assert 0 <= row.y0 < row.y1 <= 1
        assert 0 <= row.index < 3


def test_class_names_keep_spaces_commas_and_percent_signs() -> None:
    assert parse_names("Good\r\n30% Damage\r\n60% Damage , soon \r\n\r\n") == [
        "Good",
        "30% Damage",
        "60% Damage , soon",
    ]


def test_obj_data_is_read_whatever_stands_around_the_equals_sign() -> None:
    text = "classes= 1  \r\ntrain  = data/train.txt\r\nno value here\r\nNames=data/obj.names\r\n"
    assert parse_data(text) == {"classes": "1", "train": "data/train.txt", "names": "data/obj.names"}


@pytest.mark.parametrize(
    ("listed", "found"),
    [
        ("data/obj_train_data/1.jpg", "top/obj_train_data/1.jpg"),
        ("obj_train_data/1.jpg", "top/obj_train_data/1.jpg"),
        ("./data//obj_train_data/1.jpg", "top/obj_train_data/1.jpg"),
        (r"data\obj_train_data\1.jpg", "top/obj_train_data/1.jpg"),
        ("/home/x/Multi_Image//obj_valid_data/1.jpg", "top/obj_valid_data/1.jpg"),
        ("/home/x/100% real bag.png", "top/obj_train_data/100% real bag.png"),
        ("/home/x/1.jpg", None),  # two files have that name
        ("../1.jpg", None),
        ("", None),
        ("nothing.jpg", None),
    ],
)
def test_a_listed_path_finds_its_file_wherever_the_list_was_written(listed: str, found: str | None) -> None:
    files = ["top/obj_train_data/1.jpg", "top/obj_valid_data/1.jpg", "top/obj_train_data/100% real bag.png"]
    assert Paths(files, "top/").find(listed) == found


def test_the_label_stands_beside_its_image_or_in_the_labels_folder() -> None:
    paths = Paths(["a/1.jpg", "a/1.txt", "images/train/2.jpg", "labels/train/2.txt", "a/3.jpg"], "")
    assert paths.label_of("a/1.jpg") == "a/1.txt"
    assert paths.label_of("images/train/2.jpg") == "labels/train/2.txt"
    assert paths.label_of("a/3.jpg") is None
