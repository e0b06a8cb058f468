"""Files whose unchanged tiles are kept against files that Pillow saves whole."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from backblaze_assets.film.jpeg import (
    BLOCKS,
    PIXEL,
    TILE_HEIGHT,
    TILE_WIDTH,
    Encoder,
    differing,
    read_comment,
    tiles,
    touch,
    with_comment,
)

QUALITY = 92


def noise(rows, columns, seed):
    """A canvas of so many tiles, of smooth colours and a little noise."""
    random = np.random.default_rng(seed)
    height, width = rows * TILE_HEIGHT, columns * TILE_WIDTH
    coarse = random.integers(0, 256, (height // 8, width // 8, 4))
    fine = np.kron(coarse, np.ones((8, 8, 1), int)) + random.integers(-9, 9, (height, width, 4))
    return np.ascontiguousarray(fine.clip(0, 255).astype(np.uint8)).view(PIXEL)[..., 0]


def image_of(pixels):
    channels = np.ascontiguousarray(pixels)[..., None].view(np.uint8)
    return Image.fromarray(np.ascontiguousarray(channels[..., :3]))


def saved(pixels, **options):
    buffer = io.BytesIO()
    image_of(pixels).save(buffer, "JPEG", quality=QUALITY, subsampling="4:2:0", **options)
    return buffer.getvalue()


def decoded(jpeg):
    with Image.open(io.BytesIO(jpeg)) as image:
        return np.asarray(image)


def everything(pixels):
    return np.ones((pixels.shape[0] // TILE_HEIGHT, pixels.shape[1] // TILE_WIDTH), np.bool_)


@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_a_picture_of_whole_tiles_is_what_pillow_saves_to_the_byte(rows, columns, seed):
    pixels = noise(rows, columns, seed)
    encoder = Encoder(*pixels.shape, QUALITY)
    expected = saved(pixels, restart_marker_blocks=BLOCKS)
    assert encoder.encode(pixels, everything(pixels)) == expected


@given(
    st.integers(1, 6),
    st.integers(1, 5),
    st.lists(st.floats(0, 1), min_size=1, max_size=5),
    st.data(),
)
@settings(max_examples=30, deadline=None)
def test_encoding_what_has_changed_is_the_same_as_encoding_all(rows, columns, shares, data):
    pixels = noise(rows, columns, 0)
    cut = data.draw(st.integers(0, TILE_HEIGHT - 1))
    height, width = pixels.shape[0] - cut, pixels.shape[1]
    kept = Encoder(height, width, QUALITY)
    kept.encode(pixels, everything(pixels))
    for number, share in enumerate(shares):
        other = noise(rows, columns, number + 1)
        mask = np.random.default_rng(number).random((rows, columns)) < share
        where = np.repeat(np.repeat(mask, TILE_HEIGHT, axis=0), TILE_WIDTH, axis=1)
        after = np.where(where, other, pixels)
        assert (differing(after, pixels) <= mask).all()
        pixels = after
        anew = Encoder(height, width, QUALITY)
        assert kept.encode(pixels, mask) == anew.encode(pixels, everything(pixels))


def test_a_picture_that_ends_within_a_tile_looks_as_if_pillow_had_saved_it():
    pixels = noise(3, 2, 5)
    height = 40
    pixels[height:] = pixels[height - 1]
    ours = decoded(Encoder(height, pixels.shape[1], QUALITY).encode(pixels, everything(pixels)))
    assert ours.shape == (height, pixels.shape[1], 3)
    whole = decoded(saved(pixels))
    # A decoder may smooth the colours of the last row with those below it, if there are any.
    assert (ours[:-1] == whole[: height - 1]).all()
    assert np.abs(ours[-1].astype(int) - whole[height - 1]).max() < 40


def test_nothing_changed_gives_the_same_file():
    pixels = noise(2, 2, 1)
    encoder = Encoder(*pixels.shape, QUALITY)
    first = encoder.encode(pixels, everything(pixels))
    assert encoder.encode(pixels, np.zeros((2, 2), np.bool_)) == first


@given(st.integers(0, 190), st.integers(0, 60), st.integers(1, 80), st.integers(1, 40))
def test_touched_tiles_are_those_with_a_pixel_of_the_box(left, top, width, height):
    mask, pixels = np.zeros((8, 6), np.bool_), np.zeros((8 * TILE_HEIGHT, 6 * TILE_WIDTH), PIXEL)
    touch(mask, left, top, left + width, top + height)
    box = pixels.copy()
    box[top : top + height, left : left + width] = 1
    assert (mask == differing(box, pixels)).all()


def test_tiles_cover_the_picture():
    assert tiles(1080, 1920) == (68, 30)
    assert tiles(1920, 1080) == (120, 17)


def test_comments(tmp_path):
    jpeg = saved(noise(1, 1, 0))
    path = tmp_path / "x.jpg"
    path.write_bytes(jpeg)
    assert read_comment(path) is None
    path.write_bytes(with_comment(jpeg, "wörtlich"))
    assert read_comment(path) == "wörtlich"
    assert (decoded(path.read_bytes()) == decoded(jpeg)).all()
    with pytest.raises(ValueError, match="65,533"):
        with_comment(jpeg, "x" * 70_000)
