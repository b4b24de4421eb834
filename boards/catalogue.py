"""The boards that Phantom runs on: one folder each, with all that differs in its `board.toml`.

Whoever wants to know of a board asks here: what flashes one, what emulates one, what documents
them. There is no list of boards but the folders (docs/boards.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boards.fields import BoardError, Table
from boards.image import chips, partitions
from boards.image.chips import Chip
from boards.image.partitions import MIB, Partition
from phantom.wire import CHUNK_FRAMES, RATE, audio

__all__ = ("Board", "BoardError", "Control", "Dac", "Wire", "board", "names")

FOLDER = Path(__file__).parent
FILE = "board.toml"

# What a table is called in MicroPython's ports/esp32/partitions-*.csv.
PARTITIONS = {"4MiBplus": partitions.STOCK}
KIB = 1024
_DESCRIPTOR_BYTES = 1024  # 256 stereo frames of 16 bits: one buffer of I2S's DMA
_RING_SPARE_CHUNKS = 2
_NEVER_PINS: frozenset[int] = frozenset()


@dataclass(frozen=True)
class _Pads:
    """What a chip's pins can do. outputs: GPIOs that can drive a line and aren't the flash's.

    of_psram: those that it takes where there is any (octal, for the S3).
    """

    max_hz: int
    i2s_ports: int
    outputs: frozenset[int]
    of_psram: frozenset[int] = _NEVER_PINS


def _pins(*ranges: tuple[int, int]) -> frozenset[int]:
    return frozenset(pin for first, last in ranges for pin in range(first, last + 1))


# Espressif's datasheets, "IO Pins"; ports/esp32/machine_i2s.c for the number of I2S ports.
_PADS = {
    "esp32": _Pads(
        240_000_000,
        2,
        _pins((0, 5), (12, 19), (21, 23), (25, 27), (32, 33)),
        _pins((16, 17)),
    ),
    "esp32s2": _Pads(240_000_000, 1, _pins((0, 21), (33, 45)), _pins((26, 26))),
    "esp32s3": _Pads(240_000_000, 2, _pins((0, 21), (33, 48)), _pins((33, 37))),
    "esp32c3": _Pads(160_000_000, 1, _pins((0, 10), (18, 21))),
    "esp32c6": _Pads(160_000_000, 1, _pins((0, 23))),
}


@dataclass(frozen=True)
class Control:
    """A codec or amplifier that has to be set up over I2C before it sounds.

    driver: the module of `phantom.codecs` that knows it. address: 7 bits. enable: the pin that
    powers the chip or the amplifier behind it, None without. gain_db10: tenths of a decibel.
    """

    driver: str
    i2c: int
    scl: int
    sda: int
    hz: int
    address: int
    enable: int | None
    gain_db10: int

    def facts(self) -> dict[str, Any]:
        """As in board.json."""
        found = {key: value for key, value in vars(self).items() if value is not None}
        return dict(sorted(found.items()))


@dataclass(frozen=True)
class Dac:
    """What takes I2S. part: its name, for people. delay_us: FIFO and converter, together.

    channels: 1 where one loudspeaker gets a mix of both. ibuf: bytes of I2S's DMA.
    """

    part: str
    i2s: int
    sck: int
    ws: int
    sd: int
    ibuf: int
    delay_us: int
    channels: int
    control: Control | None = None

    def facts(self) -> dict[str, Any]:
        """As in board.json."""
        found = {key: value for key, value in vars(self).items() if key not in ("part", "control")}
        return found | ({"control": self.control.facts()} if self.control else {})


@dataclass(frozen=True)
class Wire:
    """One wire to be made: from a pin of the board to a pin of the DAC, and what for."""

    board: str
    part: str
    purpose: str


@dataclass(frozen=True)
class Board:
    """One kind of board.

    download: MicroPython's name of the board that its images are for, the last part of their
    page's address; variant: which of the images on that page, "" for the plain one.
    heap_bytes: what MicroPython's heap can grow to before the IDF runs short beside Wi-Fi.
    ring_bytes: the renderer's share of it, for music that is yet to play.
    codec: what it is sent while the network is good. lead_ms: the most that is worth sending
    ahead of its time. output: what is to be connected to it, for people.
    """

    name: str
    title: str
    chip: Chip
    download: str
    variant: str
    max_hz: int
    psram_bytes: int
    heap_bytes: int
    ring_bytes: int
    flash_bytes: int
    partitions: tuple[Partition, ...]
    codec: str
    lead_ms: int
    dac: Dac
    output: str
    wiring: tuple[Wire, ...]

    @property
    def image(self) -> str:
        """How its MicroPython image's name begins."""
        return f"{self.download}-{self.variant}" if self.variant else self.download

    @property
    def wants_frozen(self) -> bool:
        """Whether Phantom has to be frozen into its image (firmware/manifest.py).

        Loaded from files it takes more of the heap than a chip without PSRAM has beside its ring:
        docs/emulation.md, "Memory, assumed".
        """
        return not self.psram_bytes

    @property
    def i2s_ports(self) -> int:
        """How many I2S peripherals its chip has."""
        return _PADS[self.chip.name].i2s_ports

    def facts(self) -> dict[str, Any]:
        """Its board.json, which a flasher writes and `phantom.provision` reads."""
        return {
            "name": self.name,
            "max_hz": self.max_hz,
            "ring_bytes": self.ring_bytes,
            "codec": self.codec,
            "lead_ms": self.lead_ms,
            "dac": self.dac.facts(),
        }


def names(folder: Path = FOLDER) -> list[str]:
    """All boards that there are."""
    return sorted(path.parent.name for path in folder.glob(f"*/{FILE}"))


def board(name: str, folder: Path = FOLDER) -> Board:
    """The board of this name. Raises BoardError, which names those there are if there is none."""
    if name not in names(folder):
        listed = ", ".join(names(folder)) or "none"
        raise BoardError(f"there is no board {name!r}; there are {listed}")
    table = Table.load(folder / name / FILE)
    found = _board(name, table)
    table.done()
    return found


def _board(name: str, table: Table) -> Board:
    chip = chips.CHIPS[table.one_of("chip", _PADS.keys() & chips.CHIPS.keys())]
    memory, flash, stream = (table.table(key) for key in ("memory", "flash", "stream"))
    found = Board(
        name=name,
        title=table.text("title"),
        chip=chip,
        download=table.text("download"),
        variant=table.text("variant", ""),
        max_hz=table.whole("max_hz", 80_000_000, _PADS[chip.name].max_hz),
        psram_bytes=memory.whole("psram_bytes", 0, 32 * MIB),
        heap_bytes=memory.whole("heap_bytes", 64 * KIB, 32 * MIB),
        ring_bytes=memory.whole("ring_bytes", 16 * KIB, 16 * MIB),
        flash_bytes=flash.whole("bytes", 4 * MIB, 128 * MIB),
        partitions=PARTITIONS[flash.one_of("partitions", PARTITIONS)],
        codec=stream.one_of("codec", audio.CODECS),
        lead_ms=stream.whole("lead_ms", 100, 10_000),
        dac=_dac(table.table("dac"), chip),
        output=table.text("output"),
        wiring=tuple(_wire(each) for each in table.tables("wire")),
    )
    if found.ring_bytes > found.heap_bytes // 2:
        raise memory.fault(
            "ring_bytes",
            f" = {found.ring_bytes} leaves too little of a heap of {found.heap_bytes}: "
            "give half of it at most",
        )
    most_ms = _longest_ms(found.ring_bytes)
    if found.lead_ms > most_ms:
        raise stream.fault(
            "lead_ms",
            f" = {found.lead_ms}: a ring of {found.ring_bytes} bytes holds {most_ms} ms of mono "
            "in IMA-ADPCM; give that at most, or more memory.ring_bytes",
        )
    _check_pins(found, table)
    for part in (memory, flash, stream):
        part.done()
    return found


def _longest_ms(ring_bytes: int) -> int:
    chunks = ring_bytes // audio.chunk_bytes(audio.IMA_ADPCM, 1) - _RING_SPARE_CHUNKS
    return chunks * CHUNK_FRAMES * 1000 // RATE


def _dac(table: Table, chip: Chip) -> Dac:
    ibuf = table.whole("ibuf", 2 * _DESCRIPTOR_BYTES, 128 * KIB)
    if ibuf % _DESCRIPTOR_BYTES:
        raise table.fault("ibuf", f" = {ibuf}: give a multiple of {_DESCRIPTOR_BYTES}")
    found = Dac(
        part=table.text("part"),
        i2s=table.whole("i2s", 0, _PADS[chip.name].i2s_ports - 1),
        sck=table.whole("sck", 0, 48),
        ws=table.whole("ws", 0, 48),
        sd=table.whole("sd", 0, 48),
        ibuf=ibuf,
        delay_us=table.whole("delay_us", 0, 100_000),
        channels=table.whole("channels", 1, 2),
        control=_control(table.table("control")) if "control" in table else None,
    )
    table.done()
    return found


def _control(table: Table) -> Control:
    driver = table.text("driver")
    if not driver.isidentifier() or driver != driver.lower():
        raise table.fault("driver", f" = {driver!r}: give a module of phantom/codecs")
    found = Control(
        driver=driver,
        i2c=table.whole("i2c", 0, 1),
        scl=table.whole("scl", 0, 48),
        sda=table.whole("sda", 0, 48),
        hz=table.whole("hz", 10_000, 400_000),
        address=table.whole("address", 0x08, 0x77),
        enable=table.whole("enable", 0, 48) if "enable" in table else None,
        gain_db10=table.whole("gain_db10", -960, 0, 0),
    )
    table.done()
    return found


def _wire(table: Table) -> Wire:
    found = Wire(table.text("board"), table.text("part"), table.text("purpose"))
    table.done()
    return found


def _check_pins(found: Board, table: Table) -> None:
    """Every pin can drive a line and has one use; the wires to be made are those that are used."""
    pads = _PADS[found.chip.name]
    free = pads.outputs - (pads.of_psram if found.psram_bytes else _NEVER_PINS)
    used = {f"dac.{key}": getattr(found.dac, key) for key in ("sck", "ws", "sd")}
    if found.dac.control:
        control = found.dac.control
        used |= {f"dac.control.{key}": getattr(control, key) for key in ("scl", "sda")}
        if control.enable is not None:
            used["dac.control.enable"] = control.enable
    taken: dict[int, str] = {}
    for key, pin in used.items():
        if pin not in free:
            listed = ", ".join(str(each) for each in sorted(free))
            raise table.fault(
                key, f" = {pin}: an {found.chip.title} can't drive it here; give one of {listed}"
            )
        if pin in taken:
            raise table.fault(key, f" = {pin} is {taken[pin]} already: give each pin one use")
        taken[pin] = key
    wired = {wire.board for wire in found.wiring}
    for key in ("sck", "ws", "sd"):
        if wired and f"GPIO{used[f'dac.{key}']}" not in wired:
            raise table.fault(
                f"dac.{key}", f" = {used[f'dac.{key}']}: no [[wire]] begins at that GPIO; add it"
            )
