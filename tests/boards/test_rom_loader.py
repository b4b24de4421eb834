"""The ROM loader's double, packet by packet: as unforgiving as the chip."""

from __future__ import annotations

import hashlib
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from boards.emulated.rom import CHIPS, FlashFile, RomLoader, Trouble, from_sync, is_sync, slip
from boards.emulated.rom.commands import OPS, checksum
from boards.emulated.rom.flash import FlashRangeError

SYNC = b"\x07\x07\x12\x20" + 32 * b"\x55"
MAC = bytes.fromhex("7cdfa1a0b1c2")
FLASH_BYTES = 0x20000
WATCHDOG_KEY = 0x50D83AA1
CONTENT = bytes(range(256)) * 40


def words(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


class Host:
    """A tool's side of the line."""

    def __init__(self, loader: RomLoader) -> None:
        self.loader = loader

    def raw(self, op: str | int, data: bytes = b"", check: int = 0) -> list[bytes]:
        number = OPS[op] if isinstance(op, str) else op
        packet = struct.pack("<BBHI", 0, number, len(data), check) + data
        return slip.Decoder().feed(self.loader.feed(slip.encode(packet)))

    def ask(self, op: str | int, data: bytes = b"", check: int = 0) -> tuple[int, bytes, bytes]:
        """(value, data, the two status bytes) of the one reply."""
        reply = self.raw(op, data, check)[0]
        value = struct.unpack_from("<I", reply, 4)[0]
        end = len(reply) - (2 if self.loader.stub else 4)
        return value, reply[8:end], reply[end : end + 2]

    def status(self, op: str | int, data: bytes = b"", check: int = 0) -> tuple[int, int]:
        first, second = self.ask(op, data, check)[2]
        return first, second

    def block(self, op: str, data: bytes, number: int = 0, wrong: int = 0) -> tuple[int, int]:
        header = words(len(data), number, 0, 0)
        return self.status(op, header + data, checksum(data) ^ wrong)

    def start_stub(self) -> None:
        assert self.status("mem-begin", words(4, 1, 0x1800, 0x40080000)) == (0, 0)
        assert self.block("mem-data", b"stub") == (0, 0)
        assert self.raw("mem-end", words(0, 0x40080000))[1] == b"OHAI"


@pytest.fixture
def flash(tmp_path: Path) -> FlashFile:
    return FlashFile.blank(tmp_path / "flash.bin", FLASH_BYTES)


@pytest.fixture
def rom(flash: FlashFile) -> Host:
    host = Host(RomLoader(CHIPS["esp32"], flash, MAC))
    host.status("attach", words(0, 0))
    return host


@pytest.fixture
def stub(flash: FlashFile) -> Host:
    host = Host(RomLoader(CHIPS["esp32"], flash, MAC))
    host.start_stub()
    return host


def test_a_sync_is_found_in_what_a_tool_sends_and_in_nothing_else():
    frame = slip.encode(struct.pack("<BBHI", 0, 8, 36, 0) + SYNC)
    assert is_sync(b"\r\x03" + frame + frame)
    assert from_sync(slip.encode(b"old") + frame + b"new") == frame + b"new"
    assert not is_sync(frame[:-1])
    assert not is_sync(b"print('\x07\x07\x12\x20" + 32 * b"\x55")


def test_sync_has_eight_replies_by_whose_value_rom_and_stub_are_told_apart(stub: Host):
    rom = Host(RomLoader(CHIPS["esp32"], stub.loader.flash, MAC))
    for host, expected in ((rom, False), (stub, True)):
        replies = host.raw("sync", SYNC)
        assert len(replies) == 8
        assert all((reply[4:8] == b"\0\0\0\0") is expected for reply in replies)


@pytest.mark.parametrize("chip", sorted(CHIPS))
def test_the_mac_is_in_the_fuses(chip: str, flash: FlashFile):
    host = Host(RomLoader(CHIPS[chip], flash, MAC))
    low, high = (host.ask("read-reg", words(CHIPS[chip].mac_low + i))[0] for i in (0, 4))
    assert struct.pack(">II", high, low)[2:] == MAC


def test_what_the_rom_does_not_know_it_answers_eight_times_with_reason_5(rom: Host):
    for op in (0x77, "security-info", "erase-flash", "read-flash"):
        replies = rom.raw(op)
        assert len(replies) == 8
        assert all(reply[1] == 0 and reply[8:10] == b"\1\5" for reply in replies)


def test_the_stub_has_reasons_of_its_own(stub: Host):
    assert stub.status(0x77) == (0xC3, 0)
    assert stub.status("flash-data", words(0, 0, 0, 0)) == (0xC6, 0)
    assert stub.status("md5", words(0)) == (0xC0, 0)
    assert stub.status("md5", words(FLASH_BYTES - 1, 2, 0, 0)) == (0xC4, 0)


def test_a_wrong_checksum_is_reason_7_and_writes_nothing(rom: Host, stub: Host):
    for host, at, status in ((rom, 0, (1, 7)), (stub, 0x1000, (0xC1, 0))):
        assert host.status("flash-begin", words(0x1000, 1, 0x400, at)) == (0, 0)
        assert host.block("flash-data", CONTENT[:0x400], wrong=1) == status
        assert rom.loader.flash.read(at, 0x400) == b"\xff" * 0x400
        assert host.block("flash-data", CONTENT[:0x400]) == (0, 0)
        assert rom.loader.flash.read(at, 0x400) == CONTENT[:0x400]


def test_lengths_that_do_not_fit_are_refused(rom: Host):
    assert rom.status("flash-begin", words(0, 0, 0, 0, 0)) == (1, 5)  # five words are the S3's
    assert rom.status("read-reg", b"\0\0") == (1, 5)
    assert rom.status("write-reg", words(1, 2, 3)) == (1, 5)
    assert rom.status("read-slow", words(0, 65)) == (1, 10)
    rom.status("flash-begin", words(0x1000, 1, 0x400, 0))
    assert rom.status("flash-data", words(5, 0, 0, 0) + b"four", checksum(b"four")) == (1, 5)
    assert rom.block("flash-data", b"x" * 0x401) == (1, 5)
    packet = struct.pack("<BBHI", 0, OPS["sync"], 99, 0) + SYNC
    reply = slip.Decoder().feed(rom.loader.feed(slip.encode(packet)))[0]
    assert reply[8:10] == b"\1\5"


def test_the_rom_erases_all_at_begin_and_the_stub_as_it_goes(rom: Host, stub: Host):
    flash = rom.loader.flash
    for host, left in ((rom, b"\xff"), (stub, b"\0")):
        flash.program(0, b"\0" * 0x10000)
        assert host.status("flash-begin", words(0x8000, 2, 0x4000, 0x1000)) == (0, 0)
        assert host.block("flash-data", b"\x55" * (0x400 if host is rom else 0x4000))
        assert flash.read(0, 1) == b"\0"
        assert flash.read(0x1000, 2) == b"\x55\x55"
        assert flash.read(0x8FFF, 1) == left
        assert flash.read(0x9000, 1) == b"\0"


def test_writing_where_nothing_was_erased_clears_bits_and_the_rom_notices(rom: Host):
    flash = rom.loader.flash
    flash.program(0, b"\x0f" * 16)
    assert rom.status("flash-begin", words(0, 1, 0x400, 0)) == (0, 0)
    assert rom.block("flash-data", b"\xf5" * 16) == (1, 8)
    assert flash.read(0, 16) == b"\x05" * 16


@pytest.mark.parametrize("kind", ["rom", "stub"])
def test_nothing_is_written_beyond_the_end_of_the_flash(kind: str, rom: Host, stub: Host):
    host, status = (rom, (1, 6)) if kind == "rom" else (stub, (0xC4, 0))
    assert host.status("flash-begin", words(0x1000, 4, 0x400, FLASH_BYTES - 0x400)) == status
    assert host.status("defl-begin", words(0x1000, 4, 0x400, FLASH_BYTES)) == status
    with pytest.raises(FlashRangeError, match="beyond its end"):
        host.loader.flash.program(FLASH_BYTES - 1, b"ab")


def test_a_tool_that_says_the_flash_is_smaller_is_held_to_it(rom: Host):
    assert rom.status("set-params", words(0, 0x8000, 0x10000, 0x1000, 0x100, 0xFFFF)) == (0, 0)
    assert rom.status("flash-begin", words(0x1000, 4, 0x400, 0x8000)) == (1, 6)


def test_without_spi_attach_the_rom_has_no_flash(flash: FlashFile):
    host = Host(RomLoader(CHIPS["esp32"], flash, MAC))
    assert host.status("flash-begin", words(0x1000, 1, 0x400, 0)) == (1, 6)
    assert host.status("read-slow", words(0, 64)) == (1, 9)
    assert host.status("flash-data", words(0, 0, 0, 0), 0xEF) == (1, 6)


@pytest.mark.parametrize("kind", ["rom", "stub"])
def test_a_compressed_write_is_one_zlib_stream(kind: str, rom: Host, stub: Host):
    host = rom if kind == "rom" else stub
    packed = zlib.compress(CONTENT)
    size = len(CONTENT) if kind == "stub" else -(-len(CONTENT) // 0x400) * 0x400
    pieces = [packed[i : i + 100] for i in range(0, len(packed), 100)]
    assert host.status("defl-begin", words(size, len(pieces), 0x400, 0x3000)) == (0, 0)
    for number, piece in enumerate(pieces):
        assert host.block("defl-data", piece, number) == (0, 0)
    assert host.loader.flash.read(0x3000, len(CONTENT)) == CONTENT
    digest = hashlib.md5(CONTENT)
    _, said, _ = host.ask("md5", words(0x3000, len(CONTENT), 0, 0))
    assert said == (digest.digest() if kind == "stub" else digest.hexdigest().encode())


def test_a_broken_stream_is_refused_by_the_rom_at_once_and_by_the_stub_with_the_next_command(
    rom: Host, stub: Host
):
    rom.status("defl-begin", words(0x400, 1, 0x400, 0))
    assert rom.block("defl-data", b"no zlib") == (1, 11)
    stub.status("defl-begin", words(0x400, 1, 0x400, 0))
    assert stub.block("defl-data", b"no zlib") == (0, 0)
    assert stub.status("read-reg", words(0)) == (0xC7, 0)
    assert stub.status("read-reg", words(0)) == (0, 0)


def test_the_stub_ends_no_write_that_is_not_whole(stub: Host):
    stub.status("flash-begin", words(0x800, 2, 0x400, 0))
    stub.block("flash-data", CONTENT[:0x400])
    assert stub.status("flash-end", words(1)) == (0xC0, 0)
    stub.block("flash-data", CONTENT[:0x400])
    assert stub.status("flash-end", words(1)) == (0, 0)
    assert stub.status("flash-end", words(1)) == (0xC6, 0)
    assert stub.loader.leave is None


def test_the_stub_reads_in_packets_that_are_acknowledged_by_a_total(stub: Host):
    flash = stub.loader.flash
    flash.program(0x2000, CONTENT[:5000])
    replies = stub.raw("read-flash", words(0x2000, 5000, 4096, 64))
    assert replies[1] == CONTENT[:4096]
    rest = slip.Decoder().feed(stub.loader.feed(slip.encode(words(4096))))
    assert rest == [CONTENT[4096:5000]]
    last = slip.Decoder().feed(stub.loader.feed(slip.encode(words(5000))))
    assert last == [hashlib.md5(CONTENT[:5000]).digest()]
    assert stub.status("read-reg", words(0)) == (0, 0)


def test_erasing_a_region_takes_whole_sectors_only(stub: Host):
    flash = stub.loader.flash
    flash.program(0, b"\0" * 0x3000)
    assert stub.status("erase-region", words(0x1000, 0x800)) == (0xC0, 0)
    assert stub.status("erase-region", words(0x1000, 0x1000)) == (0, 0)
    assert flash.read(0xFFF, 2) == b"\0\xff"
    assert flash.read(0x1FFF, 2) == b"\xff\0"
    assert stub.status("erase-flash") == (0, 0)
    assert flash.read(0, 0x3000) == b"\xff" * 0x3000


def test_the_flash_says_who_made_it_and_how_large_it_is(rom: Host):
    chip = CHIPS["esp32"]
    for register, value in ((chip.spi_usr2, 0x70000000 | 0x9F), (0, 1 << 18)):
        assert rom.status("write-reg", words(chip.spi_base + register, value, 0xFFFFFFFF, 0))
    assert rom.ask("read-reg", words(chip.spi_base))[0] == 0
    assert rom.ask("read-reg", words(chip.spi_base + chip.spi_w0))[0] == 0x1140EF  # 128 KiB


# Leaving


def test_the_end_of_a_write_leaves_the_rom(rom: Host):
    rom.status("flash-begin", words(0, 0, 0x400, 0))
    assert rom.loader.leave is None
    rom.status("flash-end", words(1))
    assert rom.loader.leave == "run"


def test_the_stub_goes_back_to_the_rom_and_stays_there_when_asked(stub: Host):
    stub.status("flash-begin", words(0, 0, 0x400, 0))
    stub.raw("flash-end", words(0))
    assert (stub.loader.stub, stub.loader.stays, stub.loader.leave) == (False, True, None)


@pytest.mark.parametrize("name", ["esp32s3", "esp32c3"])
def test_the_watchdog_resets_if_it_was_unlocked(name: str, flash: FlashFile):
    chip = CHIPS[name]
    host = Host(RomLoader(chip, flash, MAC))
    assert chip.watchdog
    assert chip.watchdog_lock
    arm = words(chip.watchdog, 1 << 31, 0xFFFFFFFF, 0)
    lock = words(chip.watchdog_lock, 0, 0xFFFFFFFF, 0)
    host.status("write-reg", arm)
    host.status("write-reg", lock)
    assert host.loader.leave is None
    host.status("write-reg", words(chip.watchdog_lock, WATCHDOG_KEY, 0xFFFFFFFF, 0))
    host.status("write-reg", arm)
    assert host.loader.leave is None  # it bites milliseconds later: the tool still locks it
    host.status("write-reg", lock)
    assert (host.loader.leave, host.loader.leave_by) == ("run", "watchdog")


def test_what_an_s3_is_told_before_a_hard_reset_resets_it_where_no_line_does(flash: FlashFile):
    register = words(0x6000812C, 0, 1, 0)
    for lines, leave in ((False, "run"), (True, None)):
        host = Host(RomLoader(CHIPS["esp32s3"], flash, MAC, modem_lines=lines))
        assert host.status("write-reg", register) == (0, 0)
        assert host.loader.leave == leave


# Trouble


def test_silence_and_a_lost_line_come_where_they_are_ordered(flash: FlashFile):
    def make(trouble: Trouble) -> Host:
        return Host(RomLoader(CHIPS["esp32"], flash, MAC, trouble=trouble))

    host = make(Trouble("silence", "read-reg", nth=2))
    assert host.status("read-reg", words(0)) == (0, 0)
    assert host.raw("read-reg", words(0)) == []
    assert host.raw("sync", SYNC) == []
    assert not host.loader.dropped
    host = make(Trouble("drop", "sync"))
    assert host.raw("sync", SYNC) == []
    assert host.loader.dropped


def test_a_worn_cell_is_noticed(flash: FlashFile):
    worn = FlashFile(flash.path, stuck=frozenset({0x1005}))
    host = Host(RomLoader(CHIPS["esp32"], worn, MAC))
    host.status("attach", words(0, 0))
    host.status("flash-begin", words(0x400, 1, 0x400, 0x1000))
    assert host.block("flash-data", b"\x55" * 16) == (1, 8)
    assert worn.read(0x1004, 3) == b"\x55\0\x55"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.builds(
                lambda op, data, check: slip.encode(
                    struct.pack("<BBHI", 0, op, len(data), check) + data
                ),
                st.sampled_from(sorted(OPS.values())),
                st.binary(max_size=40),
                st.sampled_from([0, 0xEF]),
            ),
        ),
        max_size=20,
    ),
    st.booleans(),
)
def test_garbage_never_breaks_the_loader(flash: FlashFile, pieces: list[bytes], in_stub: bool):
    host = Host(RomLoader(CHIPS["esp32c3"], flash, MAC))
    if in_stub:
        host.start_stub()
    for piece in pieces:
        host.loader.feed(piece)
