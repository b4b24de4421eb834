"""Bundles: what is read as one, and what of it a board is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from phantom import manifest
from storagebox.coordinator.updates.bundle import BundleError, read
from tests.coordinator.living_boards import NEW, write_bundle
from tests.firmware.updating import KEY, text_of


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "x.phantom", "0.2.0", arch="xtensawin", board="esp32_generic")


def refusal(path: Path, octets: bytes) -> str:
    path.write_bytes(octets)
    with pytest.raises(BundleError) as caught:
        read(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text


def test_a_bundle_says_what_it_is_and_holds_its_files_in_their_order(path: Path):
    bundle = read(path)
    assert (bundle.version, bundle.board, bundle.arch) == ("0.2.0", "esp32_generic", "xtensawin")
    assert bundle.files == tuple(NEW[name] for name in sorted(NEW))
    assert bundle.text == text_of(NEW, "0.2.0", "esp32_generic", "xtensawin")


def test_it_is_signed_anew_for_each_board(path: Path):
    signed = read(path).signed(KEY, "ab" * 16, force=True)
    manifest.verify(signed, KEY)
    found = manifest.parse(signed)
    assert (found.nonce, found.force, found.version) == ("ab" * 16, True, "0.2.0")
    assert not manifest.parse(read(path).signed(KEY, "ab", force=False)).force


def test_a_board_is_sent_the_files_that_it_wants(path: Path):
    bundle = read(path)
    assert bundle.content([]) == b""
    assert bundle.content([1, 0]) == bundle.files[1] + bundle.files[0]
    for nonsense in ([2], [-1], ["0"], [True], [0.0], None, 3, {"0": 1}):
        assert bundle.content(nonsense) is None


def test_a_file_that_is_cut_short_anywhere_is_refused(path: Path):
    whole = path.read_bytes()
    head = len(read(path).text)
    for length in (0, 10, head // 2, head - 1):
        assert "no bundle" in refusal(path, whole[:length])
    for length in (head, head + 1, len(whole) - 1):
        assert "damaged or cut short: make it again" in refusal(path, whole[:length])


def test_a_byte_that_is_damaged_anywhere_is_refused(path: Path):
    whole = path.read_bytes()
    for at in range(0, len(whole), 97):
        octets = bytearray(whole)
        octets[at] ^= 0x20
        refusal(path, bytes(octets))


def test_what_is_no_bundle_or_too_much_is_refused(path: Path):
    whole = path.read_bytes()
    assert "1 bytes too many: make it again" in refusal(path, whole + b"x")
    most = manifest.MAX_BYTES + manifest.MAX_TOTAL_BYTES
    assert f"{most + 1} bytes are too many" in refusal(path, bytes(most + 1))
    assert "make it by `phantom bundle`" in refusal(path, b"\x7fELF" + bytes(5000))
    files = {f"phantom/{n}.mpy": bytes(manifest.MAX_FILE_BYTES) for n in range(5)}
    octets = text_of(files) + b"".join(files.values())
    assert "1310720 bytes" in refusal(path, octets[:most])


def test_a_file_that_can_not_be_read_is_named(tmp_path: Path):
    for path in (tmp_path / "nowhere.phantom", tmp_path):
        with pytest.raises(BundleError, match=str(path)):
            read(path)
