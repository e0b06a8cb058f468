"""An ffmpeg that ends early is quoted."""

import io
import sys

import pytest
from PIL import Image

from backblaze_assets.errors import DataError
from backblaze_assets.files.origin import Origin
from backblaze_assets.film.encode import encode_clip

ORIGIN = Origin("movie_clip", "2016-01-01", "code")


@pytest.fixture
def frames(tmp_path):
    """Frames that fill a pipe."""
    buffer = io.BytesIO()
    Image.effect_noise((640, 480), 90).convert("RGB").save(buffer, "JPEG", quality=95)
    paths = [tmp_path / f"{number}.jpg" for number in range(4)]
    for path in paths:
        path.write_bytes(buffer.getvalue())
    return paths


def encode(frames, tmp_path, monkeypatch, script):
    program = tmp_path / "own-ffmpeg"
    if script is not None:
        program.write_text(script, encoding="utf-8")
        program.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(program))
    with pytest.raises((DataError, OSError)) as error:
        encode_clip(frames, tmp_path / "clip.mp4", 60, ORIGIN)
    assert not (tmp_path / "clip.mp4").exists()
    assert not list(tmp_path.glob(".tmp-*"))
    return error.value


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("#!/bin/sh\necho \"No such filter: 'zscale'\" >&2\nexit 8\n", "exit status 8"),
        ("#!/bin/sh\necho \"No such filter: 'zscale'\" >&2\nkill -9 $$\n", "signal 9 (SIGKILL)"),
    ],
)
def test_its_last_words_and_its_exit_status_are_told(frames, tmp_path, monkeypatch, script, said):
    error = encode(frames, tmp_path, monkeypatch, script)
    assert said in str(error)
    assert "No such filter: 'zscale'" in str(error)
    assert f"IMAGEIO_FFMPEG_EXE is set to {tmp_path / 'own-ffmpeg'}" in str(error)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
def test_one_that_says_nothing_is_told(frames, tmp_path, monkeypatch):
    error = encode(frames, tmp_path, monkeypatch, "#!/bin/sh\nexit 1\n")
    assert "exit status 1 while it wrote" in str(error)
    assert "It said nothing." in str(error)


def test_one_that_cannot_be_run_is_named(frames, tmp_path, monkeypatch):
    assert "own-ffmpeg" in str(encode(frames, tmp_path, monkeypatch, None))
    assert "own-ffmpeg" in str(encode(frames, tmp_path, monkeypatch, "\x7fELF of elsewhere"))


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
def test_a_full_disk_stays_a_full_disk(frames, tmp_path, monkeypatch):
    script = (
        "#!/bin/sh\necho 'av_interleaved_write_frame(): No space left on device' >&2\nexit 228\n"
    )
    error = encode(frames, tmp_path, monkeypatch, script)
    assert isinstance(error, OSError)
