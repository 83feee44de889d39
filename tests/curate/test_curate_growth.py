"""Corpora that grow, night after night, in every way that hypothesis can think of: what a snapshot promises holds."""

from __future__ import annotations

import dataclasses
import random

import polars as pl
from hypothesis import settings as budget
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from snapshot_corpora import Corpus, Shot, draft, frame, sha, straddling

from lvbag.curate.snapshots.draft import Draft

PRODUCTS, SELLERS = st.integers(0, 2), st.none() | st.integers(0, 3)
FEW = st.integers(1, 4)


class GrowingMarket(RuleBasedStateMachine):
    """Listings, copies, re-framed copies, sellers, late nights, corrected labels, take-downs, products that vanish."""

    def __init__(self) -> None:
        super().__init__()
        self.corpus = Corpus()
        self.built_from: list[Shot] = []  # what the last snapshot was built from, and not what has come since
        self.built_near: list[tuple[int, int]] = []
        self.hidden: list[Shot] = []
        self.last: Draft | None = None
        self.next_number, self.next_listing, self.night = 0, 0, 10

    # -------------------------------------------------------------- what happens in a market

    @initialize(listings=st.lists(st.tuples(PRODUCTS, SELLERS, st.integers(2, 4)), min_size=10, max_size=20))
    def opens(self, listings: list[tuple[int, int | None, int]]) -> None:
        for product, seller, pictures in listings:
            self._list(product, seller, pictures)

    @rule(product=PRODUCTS, seller=SELLERS, pictures=FEW)
    def a_listing_comes(self, product: int, seller: int | None, pictures: int) -> None:
        self._list(product, seller, pictures)

    @rule(product=PRODUCTS, pictures=FEW)
    def a_night_is_curated_late(self, product: int, pictures: int) -> None:
        night, self.night = self.night, 0
        self._list(product, None, pictures)
        self.night = night

    @rule(which=st.randoms(use_true_random=False), better=st.booleans(), seller=SELLERS)
    def a_copy_comes_in_another_listing(self, which: random.Random, better: bool, seller: int | None) -> None:
        first = which.choice(self.corpus.shots)
        self.next_listing += 1
        self._add(
            product=first.product,
            listing=self.next_listing,
            seller=seller,
            cluster=first.number if first.cluster is None else first.cluster,
            pixels=first.pixels + (500 if better else -500),
        )
        self._add(product=first.product, listing=self.next_listing, seller=seller)

    @rule(which=st.randoms(use_true_random=False))
    def a_copy_of_two_listings_pictures_joins_them(self, which: random.Random) -> None:
        one, other = which.choice(self.corpus.shots), which.choice(self.corpus.shots)
        cluster, crops = one.cluster, other.crop_cluster
        self._add(
            product=one.product,
            listing=other.listing,
            seller=other.seller,
            cluster=one.number if cluster is None else cluster,
            crop_cluster=other.number if crops is None else crops,
            pixels=which.choice((9_000, 11_000)),
        )

    @rule(which=st.randoms(use_true_random=False))
    def two_pictures_turn_out_to_be_near(self, which: random.Random) -> None:
        one, other = which.choice(self.corpus.shots), which.choice(self.corpus.shots)
        if one != other:
            self.corpus.near.append((one.number, other.number))

    @rule(which=st.randoms(use_true_random=False))
    def crops_are_cut_anew_and_two_are_alike(self, which: random.Random) -> None:
        one, other = which.choice(self.corpus.shots), which.choice(self.corpus.shots)
        self._change(one, crop_cluster=other.number if other.crop_cluster is None else other.crop_cluster)

    @rule(which=st.randoms(use_true_random=False), elsewhere=st.booleans())
    def a_night_is_curated_again_with_other_limits(self, which: random.Random, elsewhere: bool) -> None:
        one, other, third = (which.choice(self.corpus.shots) for _ in range(3))
        cluster = other.number if other.cluster is None else other.cluster
        self._change(one, cluster=cluster, listing=third.listing if elsewhere else one.listing)

    @rule(which=st.randoms(use_true_random=False), product=PRODUCTS)
    def a_label_is_corrected(self, which: random.Random, product: int) -> None:
        self._change(which.choice(self.corpus.shots), product=product)

    @rule(which=st.randoms(use_true_random=False))
    def a_picture_is_found_in_another_listing_of_an_earlier_night(self, which: random.Random) -> None:
        one, other = which.choice(self.corpus.shots), which.choice(self.corpus.shots)
        self._change(one, listing=other.listing, night=0)

    @rule(which=st.randoms(use_true_random=False), count=st.integers(1, 6))
    def pictures_are_taken_down(self, which: random.Random, count: int) -> None:
        for _ in range(min(count, len(self.corpus.shots) - 1)):
            self.corpus.shots.remove(which.choice(self.corpus.shots))

    @rule(product=PRODUCTS)
    def a_product_leaves(self, product: int) -> None:
        gone = [shot for shot in self.corpus.shots if shot.product == product]
        if len(gone) < len(self.corpus.shots):
            self.hidden += gone
            self.corpus.shots = [shot for shot in self.corpus.shots if shot.product != product]

    @rule()
    def products_come_back(self) -> None:
        there = {shot.number for shot in self.corpus.shots}
        self.corpus.shots += [shot for shot in self.hidden if shot.number not in there]
        self.hidden = []

    @rule()
    def a_night_passes(self) -> None:
        self.night += 1
        before = dict(self.corpus.homes)
        self.built_from, self.built_near = [*self.corpus.shots], [*self.corpus.near]
        self.last = self.corpus.build()
        for sha256, home in before.items():
            assert self.corpus.homes[sha256] == home, "a place was given up or changed"
        there = set() if self.last is None else set(self.last.manifest["sha256"])
        for one, other in self.built_near:
            assert not {sha(one), sha(other)} <= there, "copies side by side"

    # -------------------------------------------------------------- what must hold, whatever happened

    @invariant()
    def nothing_straddles(self) -> None:
        if self.last is not None:
            assert straddling(self.last.manifest, self.built_from, self.built_near) == []

    @invariant()
    def what_was_placed_never_moves(self) -> None:
        if self.last is not None:
            for sha256, split, group in self.last.manifest.select("sha256", "split", "group").iter_rows():
                assert self.corpus.ever.setdefault(sha256, (split, group)) == (split, group)

    @invariant()
    def one_image_of_a_cluster_stands_there(self) -> None:
        if self.last is not None:
            there = self.last.manifest.select("sha256", "cluster")
            assert there["cluster"].is_duplicated().sum() == 0
            crops = frame(self.built_from).select("sha256", "crop_cluster")
            assert there.join(crops, on="sha256")["crop_cluster"].is_duplicated().sum() == 0
            assert {sha(shot.number) for shot in self.built_from} >= set(self.last.manifest["sha256"])

    @invariant()
    def a_seller_is_torn_only_as_a_shop_or_by_ties_that_came_too_late(self) -> None:
        if self.last is not None:
            named = self.last.manifest.drop_nulls("seller_key").group_by("seller_key")
            assert named.agg(pl.col("split").n_unique()).filter(pl.col("split") > 1).height <= (
                self.last.torn + self.last.shops
            )

    @invariant()
    def order_does_not_matter_and_the_same_again_is_the_same(self) -> None:
        if self.last is None:
            return
        mixed, homes, near = [*self.built_from], [*self.corpus.homes.values()], [*self.built_near]
        shuffle = random.Random(len(mixed))
        for sequence in (mixed, homes, near):
            shuffle.shuffle(sequence)
        again = draft(mixed, homes, [(other, one) for one, other in near])
        assert again.name == self.last.name, "nothing new, and yet another snapshot"
        assert again.homes == self.last.homes

    # -------------------------------------------------------------- helpers

    def _list(self, product: int, seller: int | None, pictures: int) -> None:
        self.next_listing += 1
        for _ in range(pictures):
            self._add(product=product, listing=self.next_listing, seller=seller)

    def _add(self, **values: int | None) -> None:
        self.next_number += 1
        self.corpus.shots.append(Shot(self.next_number, night=self.night, **values))  # type: ignore[arg-type]

    def _change(self, shot: Shot, **values: int) -> None:
        self.corpus.shots[self.corpus.shots.index(shot)] = dataclasses.replace(shot, **values)


TestGrowingMarket = GrowingMarket.TestCase
TestGrowingMarket.settings = budget(max_examples=40, stateful_step_count=30, deadline=None)
