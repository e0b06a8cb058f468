from datetime import timedelta

import pytest

from backblaze_assets.errors import DataError
from backblaze_assets.film.layout import FilmLayout
from backblaze_assets.film.style import Style
from backblaze_assets_tests.film.fleets import (
    START,
    fleet,
    history,
)

HD = Style.named("1080p")
LAST = START + timedelta(days=700)


def test_json_keeps_everything():
    for _, layout in history(fleet(days=700), LAST, HD):
        again = FilmLayout.from_json(layout.to_json())
        assert again == layout
        assert again.to_json() == layout.to_json()
    with pytest.raises(DataError, match="film_layout again"):
        FilmLayout.from_json("{}")
