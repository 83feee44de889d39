"""The parts of the titles' matcher: spellings, vocabulary, reading, lines."""

from __future__ import annotations

import pytest

from lvbag.catalog import Product
from lvbag.crawl.titles.codes import codes_of, find_codes
from lvbag.crawl.titles.features import features
from lvbag.crawl.titles.lines import named_line
from lvbag.crawl.titles.reading import read
from lvbag.crawl.titles.spelling import key, split
from lvbag.crawl.titles.vocabulary import Kind, default_vocabulary

VOCABULARY = default_vocabulary()


def line(title: str) -> str | None:
    return named_line(VOCABULARY, read(VOCABULARY, title)).line


@pytest.mark.parametrize(
    "same",
    [
        ("OnTheGo", "On The Go", "on-the-go", "ONTHEGO"),
        ("Pochette Métis", "pochette metis", "Pochette Me\u0301tis"),
        ("スピーディ", "スピーディー", "スピディ", "ｽﾋﾟｰﾃﾞｨ"),
        ("ポシェット・メティス", "ポシェット メティス", "ポシェットメティス"),
        ("ネヴァーフル", "ネバーフル"),
        ("Straße", "STRASSE"),
    ],
)
def test_spellings_of_one_word_have_one_key(same: tuple[str, ...]) -> None:
    assert len({key(text) for text in same}) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Speedy30", ["speedy", "30"]),
        ("KEEPALL55B", ["keepall", "55", "b"]),
        ("55cm", ["55", "cm"]),
        ("M41108", ["m41108"]),
        ("30x21x17", ["30x21x17"]),
        ("d'Orsay & co", ["d", "orsay", "&", "co"]),
        ("", []),
    ],
)
def test_a_text_is_split_into_words(text: str, words: list[str]) -> None:
    assert [word.text for word in split(text)] == words


def test_the_vocabulary_is_broad_and_does_not_contradict_itself() -> None:
    assert len(VOCABULARY.line_names) >= 600  # and building it has compared every spelling with every other


@pytest.mark.parametrize(
    "title",
    [
        "Louis Vuitton {} shoulder bag in brown monogram canvas and natural leather",
        "Auth LOUIS VUITTON Monogram {} PM",
        "{} Louis Vuitton",
    ],
)
def test_every_line_is_recognised_by_its_name(title: str) -> None:
    # a few lines are ordinary words through and through and need more than their own name
    told = [name for name in VOCABULARY.line_names if VOCABULARY.line_of(name) == name and VOCABULARY.senses_of(name)]
    missed = [name for name in told if line(title.format(name.title())) != name]
    assert len(missed) <= 0.01 * len(told), missed


@pytest.mark.parametrize(
    ("title", "named"),
    [
        ("Louis Vuitton Speedy Editions Limitees handbag", "speedy"),
        ("Louis Vuitton Limited Edition Speedy 30", "speedy"),
        ("Louis Vuitton America's Cup Reporter messenger bag", "editions limitees"),
        ("Louis Vuitton City Keepall", "keepall"),
        ("Louis Vuitton City Steamer", "city steamer"),
        ("Louis Vuitton Nano Speedy", "speedy"),
        ("Louis Vuitton Petit Noé", "noe"),
        ("Louis Vuitton Néo Noé", "neonoe"),
        ("Louis Vuitton Horizon Soft Duffle 55", "horizon"),
        ("Louis Vuitton Saumur Backpack backpack", "saumur"),
        ("Louis Vuitton Neverfull MM with Pochette Accessoires", "neverfull"),
        ("Louis Vuitton Bosphore messenger bag", "bosphore"),
        ("Louis Vuitton Messenger shoulder bag", "messenger"),
        ("Louis Vuitton Totally PM", "totally"),
        ("Totally authentic Louis Vuitton bag", None),
        ("Totally authentic Louis Vuitton Speedy", "speedy"),
        ("Louis Vuitton brown leather bag for a messenger, magnetic closure", None),
        ("Louis Vuitton Alma, Speedy, Neverfull, Keepall", None),
        ("Louis Vuitton Capuciens BB", "capucines"),
        ("Louis Vuitton Montsuris", "montsouris"),
        ("Louis Vuitton cologne", None),
        ("Louis Vuitton Bowling handbag in red leather", "bowling"),
        ("Louis Vuitton Handbag in red leather", None),
        ("Louis Vuitton Authentic handbag", None),
        ("Louis Vuitton Nobody Knows This handbag", None),
        ("ルイヴィトン アルマ", "alma"),
        ("ルイヴィトン アルマジロ", None),
    ],
)
def test_between_words_the_line_is_found_or_left_open(title: str, named: str | None) -> None:
    assert line(title) == named


@pytest.mark.parametrize(
    ("text", "materials"),
    [
        ("red empreinte monogram leather", {"empreinte"}),
        ("brown damier canvas", {"damier ebene"}),
        ("azur damier canvas", {"damier azur"}),
        ("plum patent epi leather", {"epi electric"}),
        ("dark blue monogram patent leather", {"vernis"}),
        ("monogram canvas and calfskin", {"monogram"}),
        ("Monogram Giant Reverse", {"giant"}),
        ("grey Graphite monogram canvas", {"monogram graphite"}),
        ("M.Eclipse", {"eclipse"}),
        ("Taïga", {"taiga"}),
        ("Neverfull DE", {"damier ebene"}),
        ("Sac de Louis", set()),
        ("NEVERFULL DE", set()),
        ("Alma Mono DA", {"monogram"}),
        ("モノグラム・アンプラント", {"empreinte"}),
        ("다미에 아주르", {"damier azur"}),
    ],
)
def test_materials_are_read_in_the_words_of_shops(text: str, materials: set[str]) -> None:
    assert features(VOCABULARY, read(VOCABULARY, text), None).materials == materials


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("Alma small model", {"pm"}),
        ("Noé petit modèle", {"pm"}),
        ("Twist kleines Modell", {"pm"}),
        ("Speedy 30 25x19x15cm", {"30"}),
        ("Speedy 30 height 21", {"30"}),
        ("Keepall Bandouliere bag 55", {"55"}),
        ("neverfullmm", {"mm"}),
        ("strap 16mm", set()),
    ],
)
def test_sizes_are_read_in_the_words_of_shops(text: str, sizes: set[str]) -> None:
    assert features(VOCABULARY, read(VOCABULARY, text), None).sizes == sizes


def test_a_colour_before_a_canvas_is_seen() -> None:
    def tinted(text: str) -> str:
        return features(VOCABULARY, read(VOCABULARY, text), None).tinted

    assert tinted("in red and white monogram canvas") == "white monogram"
    assert tinted("in brown monogram canvas and black leather") == ""
    assert tinted("in blue and white azur damier canvas") == ""


def test_codes_are_found_however_they_are_written() -> None:
    codes = codes_of((Product("M41108", "Speedy 30", "speedy", "", "", ("M41526",)),))
    for text in ("M41108", "m41108", "M 41108", "M-41108", "Ｍ４１１０８", "M41108モノグラム", "(M41108)_x", "M41526"):
        assert find_codes(codes, text).products == ("M41108",), text
    for text in ("XM41108", "M411081", "M4110", "41108"):
        assert find_codes(codes, text).products == (), text
    assert find_codes(codes, "M12345").unknown == "M12345"
    assert find_codes(codes, "sku A12345").unknown is None  # a seller's own number


def test_every_kind_of_word_is_used() -> None:
    kinds = {sense.kind for senses in VOCABULARY.senses.values() for sense in senses}
    assert kinds == set(Kind)
