"""The index of hashes gives exactly what comparing everything with everything gives, in bounded memory."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterator
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st
from numpy.typing import NDArray

from lvbag.curate import CurateError
from lvbag.curate.duplicates import hash_index
from lvbag.curate.duplicates.hash_index import HashIndex

Codes = NDArray[np.uint64]
CHUNKS = [list(range(1, 64, 3)), list(range(2, 64, 3)), list(range(0, 64, 3))]
WORDS = st.integers(0, 2**64 - 1)


@pytest.fixture
def _tables_at_any_size() -> Iterator[None]:
    """Look codes up in tables even where comparing all is faster."""
    with tables_at_any_size():
        yield


def tables_at_any_size() -> mock._patch:
    return mock.patch.multiple(hash_index, _FEW=0, _LOOK_UP_COST=0, _MET_COST=0.01)


def random_codes(seed: int, count: int) -> Codes:
    return np.random.default_rng(seed).integers(0, 2**64, count, dtype=np.uint64)


def nudged(codes: Codes, bits: int, seed: int = 0) -> Codes:
    """The codes with up to so many bits flipped."""
    rng, codes = np.random.default_rng(seed), codes.copy()
    for _ in range(bits):
        codes ^= np.uint64(1) << rng.integers(0, 64, len(codes)).astype(np.uint64)
    return codes


def flipped(code: np.uint64, places: list[int]) -> np.uint64:
    return code ^ np.uint64(sum(1 << place for place in places))


def brute(queries: Codes, codes: Codes, radius: int) -> list[tuple[int, int]]:
    near = np.bitwise_count(queries[:, None] ^ codes[None, :]) <= radius
    return [(int(one), int(other)) for one, other in np.argwhere(near)]


def found(index: HashIndex, queries: Codes, radius: int) -> list[tuple[int, int]]:
    one, other = index.search(queries, radius)
    return list(zip(one.tolist(), other.tolist(), strict=True))


@given(
    centres=st.lists(WORDS, min_size=1, max_size=4),
    seed=st.integers(0, 999),
    spread=st.integers(0, 14),
    radius=st.integers(0, 12),
)
@budget(max_examples=30, deadline=None)
def test_it_finds_what_comparing_everything_finds(centres: list[int], seed: int, spread: int, radius: int) -> None:
    around = np.resize(np.array(centres, dtype=np.uint64), 300)
    codes = np.concatenate([nudged(around, spread, seed), random_codes(seed, 100)])
    queries = np.concatenate([nudged(around[:20], spread, seed + 1), codes[::50], random_codes(seed + 2, 5)])
    with tables_at_any_size():
        assert found(HashIndex(codes), queries, radius) == brute(queries, codes, radius)
    assert found(HashIndex(codes), queries, radius) == brute(queries, codes, radius)


@pytest.mark.usefixtures("_tables_at_any_size")
@pytest.mark.parametrize("radius", range(13))
def test_at_every_radius_no_way_of_spreading_the_bits_is_missed(radius: int) -> None:
    query = np.uint64(0x9E3779B97F4A7C15)
    near, far = (
        np.array(
            [
                flipped(query, [place for chunk, some in zip(CHUNKS, split, strict=True) for place in chunk[:some]])
                for split in itertools.product(range(bits + 1), repeat=3)
                if sum(split) == bits
            ],
            dtype=np.uint64,
        )
        for bits in (radius, radius + 1)
    )
    index = HashIndex(np.concatenate([near, far]))
    assert found(index, np.array([query]), radius) == [(0, place) for place in range(len(near))]


def test_many_clustered_codes_are_looked_up_and_nothing_is_missed() -> None:
    codes = np.concatenate([random_codes(1, 30_000), nudged(np.resize(random_codes(2, 300), 30_000), 5)])
    queries = np.concatenate([nudged(codes[::50], 4, seed=3), random_codes(4, 300)])
    index = HashIndex(codes)
    with mock.patch.object(hash_index, "_in_turn", side_effect=hash_index._in_turn) as in_turn:
        one, other = index.search(queries, 8)
    assert all(len(call.args[1]) == 0 for call in in_turn.call_args_list)  # all of it came from the tables
    assert list(zip(one.tolist(), other.tolist(), strict=True)) == [
        (start + at, place) for start in range(0, 1_500, 300) for at, place in brute(queries[start:][:300], codes, 8)
    ]
    assert len(one) > 5_000
    assert list(index.search_chunks(random_codes(5, 3), 8)) == []


@pytest.mark.parametrize("radius", [0, 8, 20, 63, 64, 300])
def test_a_large_radius_compares_in_turn(radius: int) -> None:
    codes = random_codes(1, 150_000)
    assert found(HashIndex(codes), codes[-3:], radius) == brute(codes[-3:], codes, radius)


@pytest.mark.parametrize("radius", [0, 8, 64])
def test_nothing_is_found_among_nothing(radius: int) -> None:
    nothing = np.empty(0, dtype=np.uint64)
    index = HashIndex(nothing)
    assert len(index) == 0
    assert found(index, random_codes(1, 5), radius) == []
    assert found(HashIndex(random_codes(1, 5)), nothing, radius) == []
    assert list(HashIndex(random_codes(1, 50_000)).search_chunks(nothing, radius)) == []
    assert [part.dtype for part in index.search(nothing, radius)] == [np.int64, np.int64]


def test_an_index_that_grew_finds_what_one_made_at_once_finds() -> None:
    codes = np.concatenate([random_codes(1, 45_000), nudged(random_codes(1, 45_000), 5)])
    index = HashIndex(codes[:10])
    for start in range(10, len(codes), 7_000):
        index.add(codes[start : start + 7_000])
        assert len(index) == min(start + 7_000, len(codes))
        assert found(index, codes[start : start + 5], 8) == brute(codes[start : start + 5], codes[: len(index)], 8)
    index.add(np.empty(0, dtype=np.uint64))
    queries = nudged(codes[::3_000], 3)
    assert found(index, queries, 8) == brute(queries, codes, 8)


def test_tables_are_renewed_seldom_while_the_index_grows() -> None:
    codes = random_codes(1, 200_000)
    with mock.patch.object(hash_index.Table, "of", side_effect=hash_index.Table.of) as made:
        index = HashIndex(codes[:100_000])
        for start in range(100_000, 200_000, 2_000):
            index.add(codes[start : start + 2_000])
    assert made.call_count == 3 * 3  # at first, and after 34,000 and 68,000 newcomers
    assert found(index, codes[-1:], 0) == [(0, 199_999)]


def test_what_is_done_to_the_given_codes_later_does_not_matter() -> None:
    codes = random_codes(1, 100)
    kept = codes.copy()
    index = HashIndex(codes)
    codes[:] = 0
    assert found(index, kept[5:6], 0) == [(0, 5)]


def test_every_other_code_of_a_table_can_be_given_as_it_stands() -> None:
    views = random_codes(1, 80).reshape(40, 2)
    assert found(HashIndex(views[:, 1]), views[:, 1], 0) == [(place, place) for place in range(40)]


def test_pieces_stand_in_order_where_crowds_and_loners_alternate() -> None:
    crowd = nudged(np.full(60_000, 0xF0F0F0F0F0F0F0F0, dtype=np.uint64), 2)
    codes = np.concatenate([random_codes(1, 40_000), crowd])
    queries = np.ravel(np.column_stack([codes[:20], crowd[:20], nudged(codes[20:40], 4)]))
    index = HashIndex(codes)
    index.add(crowd[:20_000])
    with mock.patch.object(hash_index, "_in_turn", side_effect=hash_index._in_turn) as in_turn:
        pieces = list(index.search_chunks(queries, 8))
    compared = [len(call.args[0]) for call in in_turn.call_args_list if len(call.args[1]) == len(index)]
    assert compared == [1] * 20  # who belongs to the crowd meets it all
    one, other = (np.concatenate(column) for column in zip(*pieces, strict=True))
    everything = np.concatenate([codes, crowd[:20_000]])
    expected = np.nonzero(np.bitwise_count(queries[:, None] ^ everything) <= 8)
    assert np.array_equal(np.stack([one, other]), np.stack(expected))
    assert all(0 < len(one) <= 1 << 20 for one, _ in pieces)


@pytest.mark.parametrize("bits", [0, 4])
def test_codes_that_are_all_alike_are_streamed_in_bounded_memory(bits: int) -> None:
    codes = nudged(np.full(100_000, 0x0123456789ABCDEF, dtype=np.uint64), bits)
    index = HashIndex(codes)
    tracemalloc.start()
    try:
        pairs = 0
        for one, other in index.search_chunks(codes[:500], 8):
            assert len(one) == len(other) <= 1 << 20
            pairs += len(one)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert pairs == 500 * 100_000
    assert peak < 60e6  # all pairs at once would take 800 MB


def test_comparing_in_turn_takes_a_few_megabytes() -> None:
    index, queries = HashIndex(random_codes(1, 20_000)), random_codes(2, 1_000)
    tracemalloc.start()
    try:
        index.search(queries, 8)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4e6


def test_newcomers_that_are_all_alike_are_streamed_too() -> None:
    index = HashIndex(random_codes(1, 40_000))
    index.add(np.zeros(30_000, dtype=np.uint64))
    pieces = [len(one) for one, _ in index.search_chunks(np.zeros(200, dtype=np.uint64), 8)]
    assert sum(pieces) == 200 * 30_000
    assert max(pieces) <= 1 << 20


def test_memory_is_some_bytes_a_code() -> None:
    codes = nudged(np.resize(random_codes(1, 5_000), 500_000), 6)
    tracemalloc.start()
    try:
        index = HashIndex(codes)
        held, _ = tracemalloc.get_traced_memory()
        pairs = sum(len(one) for one, _ in index.search_chunks(nudged(codes[:20_000], 4), 8))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert index.nbytes == pytest.approx(44 * 500_000 + (1 << 25), abs=1000)
    assert held < index.nbytes * 1.1
    assert pairs > 200_000
    assert peak < held + 80e6


@pytest.mark.parametrize(
    "codes", [np.zeros(3, dtype=np.int64), np.zeros((3, 8), dtype=np.uint64), np.zeros(3, dtype=np.uint8)]
)
def test_codes_of_another_kind_are_refused(codes: Codes) -> None:
    with pytest.raises(CurateError, match="a row of 64-bit codes"):
        HashIndex(codes)
    with pytest.raises(CurateError, match="a row of 64-bit codes"):
        HashIndex(random_codes(1, 5)).search(codes, 8)


def test_a_negative_radius_is_refused() -> None:
    with pytest.raises(CurateError, match="radius of 0 or more"):
        HashIndex(random_codes(1, 5)).search(random_codes(1, 5), -1)
