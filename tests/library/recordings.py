"""Music folders of real, tagged files, a tenth of a second long."""

from __future__ import annotations

import wave
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import mutagen.flac
import mutagen.id3
import mutagen.wave

_FRAMES = 800


@cache
def _flac() -> bytes:
    import tempfile

    import numpy as np

    from tools.album.encoding import FLAC_16, encode

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.flac"
        encode(path, np.zeros((_FRAMES, 2)), 8000, FLAC_16)
        return path.read_bytes()


def flac(path: Path, **tags: Any) -> Path:
    """A FLAC file with Vorbis comments."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_flac())
    file = mutagen.flac.FLAC(path)
    file.update(
        {name: value if isinstance(value, list) else [str(value)] for name, value in tags.items()}
    )
    file.save()
    return path


def wav(path: Path, *frames: Any) -> Path:
    """A WAV file with ID3 frames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(bytes(2 * _FRAMES))
    path.write_bytes(file.getvalue())
    if frames:
        tagged = mutagen.wave.WAVE(path)
        tagged.add_tags()
        for frame in frames:
            tagged.tags.add(frame)
        tagged.save()
    return path


def bowie(music: Path) -> None:
    """A small collection, with David Bowie's "Heroes" in it."""
    album = {"album": '"Heroes"', "artist": "David Bowie", "date": "1977-10-14", "genre": "Rock"}
    folder = music / "David Bowie" / "Heroes"
    for number, title in enumerate(("Beauty and the Beast", "Joe the Lion", '"Heroes"'), 1):
        flac(
            folder / f"{number:02} {title.strip(chr(34))}.flac",
            title=title,
            tracknumber=number,
            **album,
        )
    low = {"album": "Low", "artist": "David Bowie", "date": "1977-01-14"}
    flac(music / "David Bowie" / "Low" / "01.flac", title="Speed of Life", tracknumber=1, **low)
    wav(
        music / "Herbie Hancock" / "watermelon.wav",
        mutagen.id3.TIT2(3, ["Watermelon Man"]),
        mutagen.id3.TPE1(3, ["Herbie Hancock"]),
        mutagen.id3.TALB(3, ["Head Hunters"]),
        mutagen.id3.TDRC(3, ["1973"]),
    )
    flac(music / "Bowling" / "07 Her.flac")  # bears no tags
