"""The labels below the blocks."""

import numpy as np
import pytest

from backblaze_assets.film import labels
from backblaze_assets.film.style import Style

STYLE = Style.named("1080p")


def drawn(name, size="4 TB", maker="", rate="0.7 %", room=112, tall=False):
    """Whether each pixel is text, (44, room)."""
    words = labels.Words(name, size, maker, rate, "", retired=False, room=room, tall=tall)
    return labels.draw(words, STYLE)[1] > 100


def test_a_name_that_is_too_wide_with_its_maker_is_not_cut():
    """The maker, which tells it from the other model of the name, stands on the second line."""
    narrow = drawn("Hitachi HDS5C4040ALE630")
    assert (narrow == drawn("HDS5C4040ALE630", maker="Hitachi")).all()
    assert (narrow != drawn("HGST HDS5C4040ALE630")).any()
    wide = drawn("Hitachi HDS5C4040ALE630", room=300)
    assert (wide != drawn("HDS5C4040ALE630", maker="Hitachi", room=300)).any()


def test_the_makers_name_stays_rather_than_the_size():
    """Where both have no room beside the rate, two models would have one label."""
    said = drawn("Hitachi HDS5C4040ALE630", size="4 TB of all", rate="57.2 %")
    assert (said == drawn("HDS5C4040ALE630", size="Hitachi", rate="57.2 %")).all()


@pytest.mark.parametrize("name", ["W" * 200, "Hitachi " + "W" * 200, "日本 電気", "a b c " * 30])
@pytest.mark.parametrize("tall", [False, True])
def test_any_name_leaves_room_for_the_rate(name, tall):
    label = drawn(name, tall=tall)
    alone = drawn("", size="", tall=tall)
    columns = np.flatnonzero(alone.any(axis=0))
    if not tall:  # on one line name and rate are set together
        assert (label[24:, columns[0] :] == alone[24:, columns[0] :]).all()
    assert label[:24].any()
