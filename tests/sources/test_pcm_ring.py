"""The shared-memory ring, within one process and across two."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from storagebox.sources.ring import PcmRing, StaleGenerationError


def numbered(start: int, count: int) -> np.ndarray:
    """Frames that tell their number: low 16 bits left, high bits right."""
    numbers = np.arange(start, start + count, dtype=np.uint32)
    return np.stack([numbers & 0xFFFF, numbers >> 16], axis=1).astype(np.uint16).view(np.int16)


@pytest.fixture(name="ring")
def _ring():
    ring = PcmRing.create(0.1)
    yield ring
    ring.close()


@pytest.fixture(name="writer")
def _writer(ring):
    writer = PcmRing.attach(os.dup(ring.fd))
    yield writer
    writer.close()


WRITER = """
import sys, time
import numpy as np
from storagebox.sources.ring import PcmRing, StaleGenerationError
from tests.sources.test_pcm_ring import numbered

ring = PcmRing.attach(int(sys.argv[1]))
start, total = int(sys.argv[2]), int(sys.argv[3])
while ring.wanted == 0:
    time.sleep(0.001)
if start == 0:
    ring.begin(ring.wanted)
random = np.random.default_rng(7)
while start < total:
    count = min(int(random.integers(1, 3000)), total - start)
    ring.write(numbered(start, count))
    start += count
ring.end()
ring.close()
"""


def spawn_writer(ring: PcmRing, start: int, total: int) -> subprocess.Popen[str]:
    orders = [str(ring.fd), str(start), str(total)]
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-X", "dev", "-c", WRITER, *orders],
        pass_fds=[ring.fd],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.PIPE,
        text=True,
    )


def read_until(ring: PcmRing, total: int, timeout_s: float = 30) -> np.ndarray:
    """Reads in odd-sized blocks until `total` frames of the generation are read or it ends."""
    out = np.empty((total - ring.position, 2), np.int16)
    done = 0
    deadline = time.monotonic() + timeout_s
    while done < len(out) and not ring.ended:
        assert time.monotonic() < deadline, f"only {ring.position} frames came"
        count = ring.read_into(out[done : done + 777])
        if count == 0:
            time.sleep(0.0005)
        done += count
    return out[:done]


def test_frames_cross_to_another_process_many_times_round_the_ring(ring):
    total = ring.capacity * 7 + 123
    ring.flush()
    writer = spawn_writer(ring, 0, total)
    got = read_until(ring, total)
    _, complaints = writer.communicate(timeout=10)
    assert np.array_equal(got, numbered(0, total))
    assert ring.ended
    assert ring.position == total
    assert (writer.returncode, complaints) == (0, "")


def test_what_a_killed_writer_has_written_stays_whole_and_another_writes_on(ring):
    ring.flush()
    writer = spawn_writer(ring, 0, 10**9)
    got = [read_until(ring, 3 * ring.capacity)]
    writer.send_signal(signal.SIGKILL)
    writer.communicate(timeout=10)
    there = ring.position + ring.available
    total = there + ring.capacity
    successor = spawn_writer(ring, there, total)
    got.append(read_until(ring, total))
    _, complaints = successor.communicate(timeout=10)
    assert np.array_equal(np.concatenate(got), numbered(0, total))
    assert complaints == ""


def test_counts_run_on_where_32_bits_wrap(ring, writer):
    near_the_end = 2**32 - 1000
    ring._words[32] = near_the_end
    ring._words[64] = near_the_end
    writer.begin(ring.flush())
    for start in range(0, 6 * ring.capacity, 999):
        assert writer.write(numbered(start, 999), timeout_s=0) == 999
        assert ring.available == 999
        assert np.array_equal(ring.read(2000), numbered(start, 999))
    assert ring.position == start + 999


def test_a_flush_forgets_the_old_track_and_refuses_what_still_comes_of_it(ring, writer):
    writer.begin(ring.flush())
    writer.write(numbered(0, 500))
    generation = ring.flush()
    assert ring.available == 0
    with pytest.raises(StaleGenerationError):
        writer.write(numbered(500, 500))
    writer.begin(generation)
    writer.write(numbered(9000, 100))
    assert np.array_equal(ring.read(1000), numbered(9000, 100))
    assert ring.position == 100


def test_frames_put_in_while_the_reader_flushes_are_never_heard(ring, writer):
    writer.begin(ring.flush())
    writer.write(numbered(0, 500))
    generation = ring.flush()
    writer._put(numbered(500, 700))  # the writer had looked just before the flush
    assert ring.available == 0
    writer.begin(generation)
    writer.write(numbered(9000, 100))
    assert np.array_equal(ring.read(1000), numbered(9000, 100))


def test_a_flush_wakes_a_writer_that_waits_for_room(ring, writer):
    writer.begin(ring.flush())
    naps = []

    def wait(seconds: float) -> None:
        naps.append(seconds)
        ring.flush()

    with pytest.raises(StaleGenerationError):
        writer.write(numbered(0, ring.capacity + 1), wait=wait)
    assert len(naps) == 1
    assert 0 < naps[0] <= 0.1


def test_a_full_ring_takes_no_more_until_something_is_read(ring, writer):
    writer.begin(ring.flush())
    assert writer.write(numbered(0, ring.capacity + 50), timeout_s=0.01) == ring.capacity
    assert writer.room == 0
    assert writer.write(numbered(0, 1), timeout_s=0) == 0
    ring.read(30)
    assert writer.write(numbered(ring.capacity, 50), timeout_s=0.01) == 30
    assert np.array_equal(ring.read(ring.capacity), numbered(30, ring.capacity))


def test_a_writer_goes_on_as_the_reader_makes_room(ring, writer):
    writer.begin(ring.flush())
    got = []
    total = 3 * ring.capacity
    assert writer.write(numbered(0, total), wait=lambda _: got.append(ring.read(1000))) == total
    got.append(ring.read(total))
    assert np.array_equal(np.concatenate(got), numbered(0, total))


def test_the_end_is_reached_only_when_all_is_read(ring, writer):
    generation = ring.flush()
    assert not ring.ended
    writer.begin(generation)
    writer.write(numbered(0, 10))
    writer.end()
    assert not ring.ended
    ring.read(9)
    assert not ring.ended
    ring.read(1)
    assert ring.ended
    ring.flush()
    assert not ring.ended


def test_a_session_without_a_frame_ends_as_well(ring, writer):
    writer.begin(ring.flush())
    assert not ring.ended
    writer.end()
    assert ring.ended


def test_a_new_ring_holds_what_was_asked_for_and_nothing_else_is_taken_for_one(ring):
    assert ring.capacity >= 4800
    assert ring.available == 0
    assert not ring.ended
    for seconds in (0, -1, 601):
        with pytest.raises(ValueError, match="not sensible"):
            PcmRing.create(seconds)
    other = os.memfd_create("other")
    with pytest.raises(ValueError, match="not a PCM ring"):
        PcmRing.attach(other)
    os.ftruncate(other, 10000)
    with pytest.raises(ValueError, match="not a PCM ring"):
        PcmRing.attach(other)
    os.close(other)


def test_closing_leaves_nothing_behind():
    ring = PcmRing.create(1)
    fd = ring.fd
    ring.close()
    ring.close()
    with pytest.raises(OSError):
        os.fstat(fd)
