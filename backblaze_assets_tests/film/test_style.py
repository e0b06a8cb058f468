"""Contrasts of the style, computed as WCAG 2 does and for three kinds of colour vision."""

from dataclasses import replace

import numpy as np
import pytest

from backblaze_assets.errors import DataError
from backblaze_assets.film.style import FORMATS, Style

STYLE = Style.named("1080p")
# Machado, Oliveira, Fernandes 2009, severity 1.0, on linear RGB.
VISION = {
    "normal": np.eye(3),
    "protan": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deutan": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}


def luminance(colour, vision):
    value = np.array(colour) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return float(np.clip(VISION[vision] @ linear, 0, 1) @ [0.2126, 0.7152, 0.0722])


def contrast(one, other, vision="normal"):
    light, dark = sorted((luminance(one, vision), luminance(other, vision)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_that_of_the_standard():
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    # The colours of the film before: red on grey that some cannot tell apart.
    assert contrast((255, 47, 47), (151, 151, 151), "deutan") < 1.1


@pytest.mark.parametrize("vision", VISION)
def test_failed_drives_stand_out_for_every_kind_of_vision(vision):
    assert contrast(STYLE.failed, STYLE.service, vision) >= 3
    assert contrast(STYLE.flash, STYLE.service, vision) >= 3
    assert contrast(STYLE.failed, STYLE.removed, vision) >= 3
    assert contrast(STYLE.new, STYLE.service, vision) >= 3
    assert contrast(STYLE.service, STYLE.removed, vision) >= 1.5
    assert contrast(STYLE.ring, STYLE.service, vision) >= 3


@pytest.mark.parametrize("ink", ["text", "soft", "muted", "high", "low", "failed"])
@pytest.mark.parametrize("ground", ["background", "panel_background"])
def test_text_is_readable(ink, ground):
    assert contrast(getattr(STYLE, ink), getattr(STYLE, ground)) >= 4.5


def test_formats():
    assert [(Style.named(name).width, Style.named(name).height) for name in FORMATS] == [
        (1920, 1080),
        (3840, 2160),
        (1080, 1920),
    ]
    with pytest.raises(DataError, match="upright"):
        Style.named("720p")
    with pytest.raises(DataError, match="60, 30, 15"):
        Style.named("1080p", 24)


def test_versions_tell_what_must_be_made_again():
    slow = Style.named("1080p", 15)
    assert slow.frames_a_day == 4
    assert slow.frame_version == STYLE.frame_version
    assert slow.version != STYLE.version
    large = Style.named("2160p")
    assert large.layout_version == STYLE.layout_version
    assert large.frame_version != STYLE.frame_version
    assert Style.named("upright").layout_version != STYLE.layout_version
    assert replace(STYLE, failed=(255, 0, 0)).frame_version != STYLE.frame_version
