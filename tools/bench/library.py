"""`phantom bench library`: is the music disturbed by the library of the box that sends it?

One emulated house plays noise. In the middle of it, thousands of made-up tracks appear in the
music folder for the first time, and once all have been read, `phantom find` runs again and again.
Each board's capture is held to the noise, spell by spell; the library's process tells what it took
of the processor.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mutagen.flac
import numpy as np

from tools.album.encoding import FLAC_16, encode
from tools.bench import music, results, search_corpus
from tools.bench.command import command
from tools.bench.options import HouseOptions, house_parser
from tools.bench.steps import Steps
from tools.demo.arguments import count, seconds
from tools.demo.house import House, HouseError
from tools.measure.accounting import account
from tools.measure.align import align
from tools.measure.report import Run

# A folder's new files are seen within 5 s, and half a core reads some hundreds a second.
_READ_LIMIT_S = 300.0
_POLL_S = 0.25
_TAIL_S = 5.0
_TRACKS_AN_ALBUM = 12
_TICKS = os.sysconf("SC_CLK_TCK")
_STARTED_S = 60.0  # the library starts at the lowest priority
_LAST_WORDS = 5  # lines of the box's log


@dataclass(frozen=True)
class Options(HouseOptions):
    """What to run."""

    profile: str = "wifi"
    files: int = 5000
    seconds: float = 20.0


@dataclass
class _Spell:
    name: str
    since_us: int
    until_us: int = 0
    cpu_s: float = 0.0  # of the library's process

    @property
    def length_s(self) -> float:
        return (self.until_us - self.since_us) / 1e6


def main(arguments: Sequence[str]) -> int:
    """`phantom bench library`; returns the exit status: 2 if it can't be run as asked."""
    parser = house_parser("library", "Is music disturbed by the library of the box that sends it?")
    parser.set_defaults(profile="wifi")
    parser.add_argument("--files", type=count, default=5000, help="to read (default: 5000)")
    parser.add_argument(
        "--seconds", type=seconds, default=20.0, help="before, and of searching (default: 20)"
    )
    faults = (HouseError, ValueError)
    return command("library", parser, arguments, lambda o: run(Options(**o)), summary, faults)


def run(options: Options) -> dict[str, Any]:
    """Measure. Raises HouseError where that's impossible."""
    workdir = results.workdir(f"library-{options.profile}")
    try:
        spells, record, searches = _play(options, workdir)
        told = [_told(spell, record) for spell in spells]
    finally:
        if not options.keep:
            shutil.rmtree(workdir, ignore_errors=True)
    return {
        "bench": "library",
        "emulated": True,
        "profile": options.profile,
        "seed": options.seed,
        "boards": options.boards,
        "codec": record.codec,
        "lead_ms": record.lead_ms,
        "files": options.files,
        "searches": searches,
        "spells": told,
    }


def _play(options: Options, workdir: Path) -> tuple[list[_Spell], Run, int]:
    terms = options.terms()
    song, folder = workdir / "song.wav", workdir / "music"
    folder.mkdir()
    with Steps() as steps:
        steps.next(f"{options.files} files, and the music of the bench")
        records = list(search_corpus.tracks(options.files, options.seed))
        _write(workdir / "new", records)
        music.write_noise(song, _READ_LIMIT_S + 2 * options.seconds, options.seed)
        steps.next(f"{options.boards} boards, {options.profile} network")
        with options.house(workdir, steps.say, folder) as house:
            library = _Process(house)
            house.wait_synchronised(options.settle_s)
            steps.next("playing")
            playing = house.play([song], terms.lead_ms, terms.codec)
            time.sleep(max(0.0, playing.start_us / 1e6 - time.monotonic()) + 1.0)
            spells = [library.begin("before")]
            time.sleep(options.seconds)
            spells.append(library.begin("reading", spells[-1]))
            (workdir / "new").rename(folder / "new")
            _read(library, options.files, steps)
            spells.append(library.begin("searching", spells[-1]))
            searches = _search(house, search_corpus.queries(records, 500), options.seconds)
            library.end(spells[-1])
            time.sleep(1.0)  # what has sounded is in the capture by then
            house.stop()
            return spells, house.record(spells[-1].until_us, counter=False), searches


def _write(folder: Path, records: Sequence[Mapping[str, Any]]) -> None:
    # A folder an album, a tenth of a second a track.
    folder.mkdir()
    silence = folder.parent / "silence.flac"
    encode(silence, np.zeros((4800, 2)), music.RATE, FLAC_16)
    for number, record in enumerate(records):
        album = folder / f"{number // _TRACKS_AN_ALBUM:04}"
        album.mkdir(exist_ok=True)
        path = album / f"{number % _TRACKS_AN_ALBUM + 1:02}.flac"
        shutil.copyfile(silence, path)
        tagged = mutagen.flac.FLAC(path)
        for name in ("title", "artist", "album", "genre"):
            tagged[name] = [record[name]]
        tagged["date"] = [str(record["year"])]
        tagged.save()


def _read(library: _Process, files: int, steps: Steps) -> None:
    # The box hears how many they are once all are read.
    deadline = time.monotonic() + _READ_LIMIT_S
    while library.told().get("tracks") != files:
        if time.monotonic() > deadline:
            raise HouseError(f"{files} files were not read in {_READ_LIMIT_S:.0f} s")
        steps.say(f"reading {files} files")
        time.sleep(_POLL_S)


def _search(house: House, queries: Sequence[str], for_s: float) -> int:
    """How many times `phantom find` has answered, one after the other."""
    until = time.monotonic() + for_s
    searches = 0
    socket = ("--control", str(house.control_path), "--json")
    while time.monotonic() < until:
        words = queries[searches % len(queries)].split()
        subprocess.run(
            [sys.executable, "-m", "storagebox.cli", "find", *socket, "--", *words],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        searches += 1
    return searches


class _Process:
    """The library's process once it serves, and the CPU time it has taken.

    Figures of one that ended in the middle would be another's: then it raises HouseError.
    """

    def __init__(self, house: House) -> None:
        self._house = house
        latest_s = time.monotonic() + _STARTED_S
        while not (told := house.call("library"))["complete"]:
            if time.monotonic() > latest_s:
                raise self._fault(told, f"did not serve within {_STARTED_S:.0f} s")
            time.sleep(_POLL_S)
        running = _running_for(os.fsencode(told["socket"]))
        if len(running) != 1:
            raise self._fault(told, f"runs {len(running)} times, not once")
        self._stat = running[0] / "stat"

    def told(self) -> dict[str, Any]:
        """What the box says of it."""
        self._cpu_s()  # it runs
        return self._house.call("library")

    def _cpu_s(self) -> float:
        try:
            fields = self._stat.read_text().rpartition(")")[2].split()
        except OSError:
            raise self._fault(self._house.call("library"), "ended in the middle") from None
        return (int(fields[11]) + int(fields[12])) / _TICKS  # proc_pid_stat(5): utime, stime

    def _fault(self, told: Mapping[str, Any], fault: str) -> HouseError:
        lines = self._house.box_log.read_text(errors="replace").splitlines()[-_LAST_WORDS:]
        return HouseError(
            f"the library {fault}: {told['trouble']}; the box's log ends:\n" + "\n".join(lines)
        )

    def begin(self, name: str, before: _Spell | None = None) -> _Spell:
        """A spell begins, and the one before ends."""
        if before is not None:
            self.end(before)
        return _Spell(name, time.monotonic_ns() // 1000, cpu_s=-self._cpu_s())

    def end(self, spell: _Spell) -> None:
        """A spell ends."""
        spell.until_us = time.monotonic_ns() // 1000
        spell.cpu_s += self._cpu_s()


def _running_for(socket: bytes) -> list[Path]:
    """The processes whose last argument it is."""
    return [
        each.parent
        for each in Path("/proc").glob("[0-9]*/cmdline")
        if (words := _words(each)) and words[-1] == socket
    ]


def _words(cmdline: Path) -> list[bytes]:
    try:
        return cmdline.read_bytes().split(b"\0")[:-1]
    except OSError:
        return []  # it has ended meanwhile


def _told(spell: _Spell, record: Run) -> dict[str, Any]:
    """What became of the music in a spell, all boards together."""
    errors: list[float] = []
    dropouts = jumps = trims = 0
    for board in record.boards:
        played = align(
            board.board,
            board.captures,
            record.start_us,
            pick=board.pick,
            canonical=record.canonical,
            since_us=spell.since_us,
            until_us=spell.until_us,
        )
        if not len(played.time_ns):
            raise HouseError(f"{board.board} was silent while {spell.name}")
        books = account(played, record.canonical, spell.until_us)
        dropouts += len(books.dropouts)
        jumps += len(books.jumps)
        trims += books.trims
        errors += np.abs(played.error_us).tolist()
    return {
        "spell": spell.name,
        "seconds": round(spell.length_s, 1),
        "dropouts": dropouts,
        "jumps": jumps,
        "trims": trims,
        "error_p99_us": round(float(np.percentile(errors, 99))),
        "error_max_us": round(max(errors)),
        "library_cpu_percent": round(100 * spell.cpu_s / spell.length_s, 1),
    }


def summary(result: Mapping[str, Any]) -> str:
    """The figures for a person."""
    lines = [
        (
            f"emulated, {result['boards']} boards, {result['profile']}, {result['codec']}, "
            f"lead {result['lead_ms']} ms, {result['files']} files, {result['searches']} searches"
        )
    ]
    lines += [
        f"  {spell['spell']:9} {spell['seconds']:5} s: {spell['dropouts']} dropouts, "
        f"{spell['jumps']} jumps, {spell['trims']} trims; "
        f"in time within {spell['error_max_us']} µs, 99 % within {spell['error_p99_us']}; "
        f"library {spell['library_cpu_percent']} % of a core"
        for spell in result["spells"]
    ]
    return "\n".join(lines)
