from datetime import date

import pytest

from backblaze_assets.film import text
from backblaze_assets.film.words import (
    capacity,
    capacity_of_drive,
    long_date,
    rate,
    round_capacity,
    short_names,
    whole_rate,
)

TB = 10**12


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 TB"),
        (849 * TB, "849 TB"),
        (1_500 * TB, "1.50 PB"),
        (288_300 * TB, "288.3 PB"),
        (5_070_000 * TB, "5.07 EB"),
        (12_345_000 * TB, "12.3 EB"),
    ],
)
def test_capacity_in_few_figures(size, words):
    assert capacity(size) == words


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (500_107_862_016, "500 GB"),
        (1_000_204_886_016, "1 TB"),
        (1_500_301_910_016, "1.5 TB"),
        (16_000_900_661_248, "16 TB"),
        (240_057_409_536, "240 GB"),
    ],
)
def test_capacity_of_a_drive_as_its_maker_sells_it(size, words):
    assert capacity_of_drive(size) == words


def test_round_numbers():
    assert round_capacity(200 * 1000 * TB) == "200 PB"
    assert round_capacity(2 * 10**18) == "2 EB"
    assert round_capacity(500 * TB) == "500 TB"


def test_dates_and_rates_do_not_depend_on_the_locale():
    assert long_date(date(2016, 9, 3)) == "3 September 2016"
    assert rate(31.06) == "31.1 %"
    assert whole_rate(31.06) == "31 %"
    assert whole_rate(2.54) == "2.5 %"


def test_figures_are_of_one_width():
    for name in (text.LIGHT, text.REGULAR, text.NARROW):
        widths = {text.width(figure * 10, name, 36) for figure in "0123456789"}
        assert len(widths) == 1


def test_text_is_made_to_fit():
    name = "HUH721212ALE604"
    size = text.fitting_size(name, text.NARROW_MEDIUM, (13, 12, 11), 100)
    assert text.width(name, text.NARROW_MEDIUM, size) <= 100
    short = text.shortened(name * 3, text.NARROW_MEDIUM, 11, 100)
    assert short.endswith("…")
    assert text.width(short, text.NARROW_MEDIUM, 11) <= 100
    assert text.shortened(name, text.NARROW_MEDIUM, 11, 100) == name


def test_text_is_wrapped_at_blanks():
    words = "one two three four five six seven"
    lines = text.wrapped(words, text.REGULAR, 20, 100)
    assert " ".join(lines) == words
    assert len(lines) > 1
    assert all(text.width(line, text.REGULAR, 20) <= 100 for line in lines)


def test_letters_that_the_fonts_do_not_have_are_told_by_number():
    assert text.readable("ST4000 · Ж") == "ST4000 · Ж"
    assert text.readable("日A") == "[65E5]A"


def test_names_are_unique():
    models = ["Hitachi HDS5C4040ALE630", "HGST HDS5C4040ALE630", "ST4000DM000"]
    assert short_names(models) == {
        "Hitachi HDS5C4040ALE630": "Hitachi HDS5C4040ALE630",
        "HGST HDS5C4040ALE630": "HGST HDS5C4040ALE630",
        "ST4000DM000": "ST4000DM000",
    }
    assert short_names(models[1:])["HGST HDS5C4040ALE630"] == "HDS5C4040ALE630"
