"""The capture file: what a board writes is what the measurement reads, whole or half written."""

from pathlib import Path

import numpy as np
import pytest

from boards.emulated import capture
from boards.emulated.capture import EMPTY, SILENT, CaptureError, CaptureReader, Segment

SEGMENT = Segment(48000, 256, 1_000_000_000, 48000 * (1 + 40e-6), 123)
BLOCK = np.arange(512, dtype=np.int16).reshape(256, 2) + 1


def written(path: Path, *records: bytes) -> Path:
    path.write_bytes(b"".join(records))
    return path


def test_blocks_runs_and_segments_come_back_as_written(tmp_path: Path) -> None:
    path = written(
        tmp_path / "c",
        capture.pack_segment(SEGMENT),
        capture.pack_run(0, 17, EMPTY),
        capture.pack_block(17, BLOCK),
        capture.pack_block(18, BLOCK * 0),
        capture.pack_block(19, BLOCK * 2),
        capture.pack_segment(Segment(48000, 256, 2_000_000_000, 48000.0, 5)),
        capture.pack_block(0, BLOCK * 3),
    )
    first, second = capture.load(path)
    assert first.segment == SEGMENT
    assert first.sound.tolist() == [17, 19]
    assert first.runs.tolist() == [[0, 17, EMPTY], [18, 1, SILENT]]
    assert (first.pcm() == np.stack((BLOCK, BLOCK * 2))).all()
    assert first.ends == 20
    assert second.sound.tolist() == [0]
    assert (second.pcm()[0] == BLOCK * 3).all()


def test_time_of_a_frame_follows_the_boards_own_crystal() -> None:
    an_hour = 3600 * 48000
    late = SEGMENT.time_ns(an_hour) - (SEGMENT.t0_ns + 3600e9)
    assert late == pytest.approx(-3600e9 * 40e-6, rel=1e-4)
    assert SEGMENT.ppm == pytest.approx(40.0)


def test_a_reader_takes_up_where_a_half_written_record_ended(tmp_path: Path) -> None:
    whole = (
        capture.pack_segment(SEGMENT) + capture.pack_block(0, BLOCK) + capture.pack_block(1, BLOCK)
    )
    path = tmp_path / "c"
    reader = CaptureReader(path)
    assert reader.poll() == []
    seen: list[int] = []
    for size in range(0, len(whole) + 1, 101):
        path.write_bytes(whole[:size])
        seen += [record.index for record in reader.poll()]
    path.write_bytes(whole)
    last = reader.poll()
    assert [*seen, *(record.index for record in last)] == [0, 1]
    assert (reader.pcm(last[0]) == BLOCK).all()


def test_a_capture_that_is_only_a_header_has_a_segment_without_sound(tmp_path: Path) -> None:
    (segment,) = capture.load(written(tmp_path / "c", capture.pack_segment(SEGMENT)))
    assert len(segment.sound) == 0
    assert segment.pcm().shape == (0, 256, 2)


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (b"\0\0\0\0\1\0\x28\0" + b"WRONGMAG" + bytes(32), "magic"),
        (capture.pack_block(0, BLOCK), "before any segment"),
        (capture.pack_segment(SEGMENT) + b"\0\0\0\0\0\0\3\0abc", "3 bytes"),
    ],
)
def test_damage_is_named_with_file_and_byte(tmp_path: Path, damage: bytes, fault: str) -> None:
    path = written(tmp_path / "broken.cap", damage)
    with pytest.raises(CaptureError, match=rf"broken\.cap: byte \d+: .*{fault}"):
        capture.load(path)


def test_a_missing_capture_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="did the board start"):
        capture.load(tmp_path / "none")
