"""ESP images and MicroPython's releases: what is right is read, what is wrong is named."""

from __future__ import annotations

import functools
import operator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boards.image import espimage, release, standin
from boards.image.espimage import Fault, ImageError
from boards.image.release import ReleaseError

APP_AT = 0x10000
SMALL = 60_000


def small(chip: str = "esp32s3") -> bytes:
    return standin.micropython(chip, application_bytes=SMALL)


@given(st.binary(max_size=300))
def test_the_fast_exclusive_or_is_the_slow_one(data: bytes):
    assert espimage.exclusive_or(data) == functools.reduce(operator.xor, data, 0)


@given(
    st.lists(
        st.tuples(st.integers(0, 0xFFFFFFFF), st.binary(min_size=1, max_size=90)),
        min_size=1,
        max_size=5,
    ),
    st.booleans(),
    st.binary(max_size=20),
)
def test_an_image_is_read_as_it_was_built(
    segments: list[tuple[int, bytes]], hashed: bool, behind: bytes
):
    built = espimage.build(9, segments, entry=0x42000020, min_revision=2, hashed=hashed)
    image = espimage.parse(built + behind)
    assert (image.chip, image.entry, image.min_revision) == ("esp32s3", 0x42000020, 2)
    assert (image.length, image.hashed) == (len(built), hashed)
    assert [s.address for s in image.segments] == [address for address, _ in segments]
    for segment, (_, content) in zip(image.segments, segments, strict=True):
        assert built[segment.offset :].startswith(content)
    assert espimage.header_length(built) == len(built)


@given(st.integers(0, 999), st.integers(0, 7))
def test_no_flipped_bit_goes_unseen(at: int, bit: int):
    built = bytearray(standin.application("esp32", size=30_000)[-1000:])
    whole = bytearray(standin.application("esp32", size=30_000))
    whole[len(whole) - len(built) + at] ^= 1 << bit
    with pytest.raises(ImageError):
        espimage.parse(bytes(whole))


@given(st.binary(max_size=400))
def test_any_bytes_are_an_image_or_an_error(data: bytes):
    for start in (b"", b"\xe9\x02"):
        with pytest.raises(ImageError):
            espimage.parse(start + data)


def test_every_cut_is_called_a_cut():
    whole = standin.application("esp32c3", size=20_000)
    for length in (1, 23, 24, 31, 40, 5000, len(whole) - 33, len(whole) - 1):
        with pytest.raises(ImageError) as caught:
            espimage.parse(whole[:length])
        assert caught.value.fault is Fault.TRUNCATED, length


def test_an_application_says_what_it_is():
    image = espimage.parse(standin.application("esp32", "1.26.1", SMALL))
    assert (image.project, image.version, image.is_application) == ("micropython", "v1.26.1", True)
    assert not espimage.parse(standin.bootloader("esp32")).is_application


def test_chips_and_revisions_are_written_as_people_write_them():
    assert [espimage.chip_title(c) for c in ("esp32", "esp32s3")] == ["ESP32", "ESP32-S3"]
    assert espimage.revision_text(301) == "v3.1"


# Releases


@pytest.mark.parametrize(
    ("chip", "offset"), [("esp32", 0x1000), ("esp32s3", 0x0), ("esp32c3", 0x0)]
)
def test_a_release_is_known_with_its_place(chip: str, offset: int):
    found = release.check(small(chip), "firmware.bin", chip, revision=301)
    assert (found.chip, found.offset, found.app.offset) == (chip, offset, APP_AT)
    assert found.title == f"MicroPython 1.25.0 for {espimage.chip_title(chip)}"


def test_the_whole_stand_in_is_as_large_as_the_real_one():
    assert 1_600_000 < len(standin.micropython("esp32")) < 1_750_000


def refusal(content: bytes, chip: str = "esp32s3", revision: int | None = None) -> str:
    with pytest.raises(ReleaseError) as caught:
        release.check(content, "fw.bin", chip, revision)
    text = str(caught.value)
    assert text.startswith("fw.bin")
    assert ": get " in text  # the remedy
    assert "\n" not in text
    return text


def test_the_wrong_chip_is_named_and_the_right_one():
    assert refusal(small("esp32s3"), "esp32") == (
        "fw.bin is for ESP32-S3, and this board is an ESP32: get the image for ESP32"
    )


def test_a_cut_release_says_how_much_is_there():
    whole = small()
    assert f"100,000 of {len(whole):,} bytes" in refusal(whole[:100_000])
    assert "cut short" in refusal(whole[:APP_AT])
    assert "ends behind its bootloader" in refusal(whole[:0x8000])
    assert "bootloader is damaged: 10,000 of" in refusal(whole[:10_000])


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "an empty file"),
        (b"PK\x03\x04rest", "a zip archive"),
        (b"\n<!DOCTYPE html><html>", "a web page"),
        (b"\xff" * 99, "erased flash"),
        (b"\x7fELF\x01", "something that starts with 7f 45 4c 46"),
    ],
)
def test_other_files_are_called_what_they_are(content: bytes, what: str):
    assert f"is no ESP32 image but {what}" in refusal(content)


def test_an_application_alone_is_not_for_a_bare_board():
    assert ".app-bin" in refusal(standin.application("esp32s3", size=SMALL))


def test_damage_is_named_by_its_place():
    for at, what in ((0x100, "bootloader"), (0x8004, "partition table"), (0x18000, "application")):
        damaged = bytearray(small())
        damaged[at] ^= 0x10
        assert what in refusal(bytes(damaged))


def test_a_chip_that_is_too_old_for_the_image_is_told():
    assert "needs an ESP32-C3 of revision v0.3, and this one is v0.2" in refusal(
        small("esp32c3"), "esp32c3", revision=2
    )


def test_an_image_for_a_chip_of_no_board_is_refused():
    content = bytearray(standin.bootloader("esp32s3"))
    other = espimage.build(16, [(0x40800000, bytes(content[32:64]))])
    assert "ESP32-H2" in refusal(other, "esp32")


def test_a_release_is_loaded_from_a_file(tmp_path: Path):
    (tmp_path / "ESP32_GENERIC_S3.bin").write_bytes(small())
    assert release.load(tmp_path / "ESP32_GENERIC_S3.bin").chip == "esp32s3"
