"""`phantom bench search`: how fast searches are, in the engine and over HTTP.

Made-up tracks, 30 % of the queries with a typo and the last word cut off as while typing; and the
packages that apt knows, found letter by letter. docs/search-api.md defines each figure.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import orjson

from tools.bench import http_search, results, search_packages, search_plot, search_rival
from tools.bench.command import command
from tools.bench.latencies import spread_ms
from tools.bench.search_corpus import queries, tracks
from tools.bench.search_packages import NoPackages
from tools.bench.search_place import BenchError, Place, served
from tools.bench.search_summary import summary
from tools.bench.search_worker import APPLICATION, INDEX
from tools.bench.steps import Steps
from tools.demo.arguments import Parser, count, seconds

TRACKS: Final = (100_000, 1_000_000)
TRACK_SETTINGS: Final[dict[str, Any]] = {
    "searchableAttributes": ["title", "artist", "album"],
    "attributesForFaceting": ["genre", "year"],
    "customRanking": ["desc(plays)"],
}
# Queries of one more round narrow by year and count genres.
_FILTERED: Final = {"filters": "year >= 1980", "facets": ["genre"]}
_WARM: Final = 300  # queries before those that count, none of them the same
_SAMPLE: Final = 20_000  # tracks that queries look for
_WRITES: Final = 50
_RIVAL_TRACKS: Final = 100_000
_CONNECTIONS: Final = (1, 8)
_HTTP_QUERIES: Final = 2000


@dataclass(frozen=True)
class Options:
    """What to measure."""

    tracks: Sequence[int] = TRACKS
    queries: int = 2000
    typos: float = 0.3
    seed: int = 1
    apt: bool = True
    packages: int = 300  # that are looked for, letter by letter
    http: bool = True
    seconds: float = 10.0  # of each load over HTTP
    keep: bool = False


def main(arguments: Sequence[str]) -> int:
    """`phantom bench search`; returns the exit status: 2 if it can't be run as asked."""
    parser = Parser(prog="phantom bench search", description="Measure how fast searches are.")
    add = parser.add_argument
    add("--json", action="store_true", help="print nothing but the JSON line")
    add(
        "--tracks",
        type=_tracks,
        nargs="*",
        default=TRACKS,
        help="how many made-up tracks; several numbers, several indices (default: 100000 1000000)",
    )
    add("--queries", type=count, default=2000, help="of each round (default: 2000)")
    add("--typos", type=_share, default=0.3, help="share of queries with one (default: 0.3)")
    add("--seed", type=int, default=1, help="of tracks and queries (default: 1)")
    add("--packages", type=count, default=300, help="that are looked for (default: 300)")
    add("--no-apt", dest="apt", action="store_false", help="leave apt's packages out")
    add("--no-http", dest="http", action="store_false", help="leave HTTP out")
    add("--seconds", type=seconds, default=10.0, help="of each load over HTTP (default: 10)")
    add("--keep", action="store_true", help="keep the indices in build/bench")
    faults = (BenchError, OSError)
    return command("search", parser, arguments, lambda o: run(Options(**o)), summary, faults)


def run(options: Options) -> dict[str, Any]:
    """The figures. Raises BenchError."""
    workdir = results.workdir("search")
    times: dict[str, list[float]] = {}
    result: dict[str, Any] = {
        "bench": "search",
        "seed": options.seed,
        "typos": options.typos,
        "machine": _machine(),
        "tracks": [],
    }
    try:
        with Steps() as steps:
            for number in options.tracks:
                measured, took_s = _measure_tracks(options, number, workdir, steps)
                result["tracks"].append(measured)
                times[f"{number:,} tracks"] = took_s
            if options.apt:
                result["apt"], keys = _measure_packages(options, workdir, steps)
            else:
                result["apt"], keys = {"skipped": "--no-apt"}, []
            result["milli"] = _measure_rival(options, workdir, steps)
            steps.next("Picture")
            picture = results.folder() / "search.png"
            search_plot.plot(times, keys, picture)
    finally:
        if not options.keep:
            shutil.rmtree(workdir, ignore_errors=True)
    result["plot"] = str(picture)
    return result


def _measure_tracks(
    options: Options, number: int, workdir: Path, steps: Steps
) -> tuple[dict[str, Any], list[float]]:
    steps.next(f"{number:,} tracks: making them")
    place = Place(workdir / f"tracks-{number}")
    step = max(1, number // _SAMPLE)
    sample = _write(place.records, tracks(number, options.seed), step)
    steps.next(f"{number:,} tracks: indexing")
    filled = place.fill(TRACK_SETTINGS)
    steps.next(f"{number:,} tracks: {options.queries} searches")
    asked = place.ask(
        warm=queries(sample, _WARM, options.seed + 1, options.typos),
        queries=queries(sample, options.queries, options.seed, options.typos),
        filtered=_FILTERED,
        writes=_WRITES,
    )
    measured = {**_filled(filled), **_asked(asked, options.queries)}
    if options.http:
        steps.next(f"{number:,} tracks: over HTTP")
        texts = queries(sample, _HTTP_QUERIES, options.seed + 2, options.typos)
        measured["http"] = _over_http(place, texts, options.seconds)
    return measured, asked["times_s"]


def _measure_packages(
    options: Options, workdir: Path, steps: Steps
) -> tuple[dict[str, Any], list[list[float]]]:
    """The figures, and how long the first, second … keystrokes took."""
    steps.next("Packages of apt")
    try:
        records = search_packages.packages()
    except NoPackages as fault:
        return {"skipped": str(fault)}, []
    place = Place(workdir / "apt")
    _write(place.records, records, len(records))
    filled = place.fill(search_packages.SETTINGS)
    typed = search_packages.typed(records, options.packages, options.seed, options.typos)
    warm = [keys[-1] for _, keys in search_packages.typed(records, _WARM, options.seed + 1, 0.3)]
    asked = place.ask(warm=warm, typed=typed)
    by_key: list[list[float]] = []
    for times_s, _ in asked["keys"]:
        for at, time_s in enumerate(times_s):
            if at == len(by_key):
                by_key.append([])
            by_key[at].append(time_s)
    everything = [time_s for times_s in by_key for time_s in times_s]
    near = [at for _, at in asked["keys"] if at is not None]
    return {
        **_filled(filled),
        **_opened(asked),
        "looked_for": len(typed),
        "keystrokes": len(everything),
        "keystroke_ms": spread_ms(everything),
        "by_letters_ms": {str(at): spread_ms(each) for at, each in enumerate(by_key, 1)},
        "found_percent": round(100 * len(near) / len(typed), 1),
        "letters_to_find": round(sum(near) / len(near), 1) if near else None,
    }, by_key


def _measure_rival(options: Options, workdir: Path, steps: Steps) -> dict[str, Any]:
    number = min([each for each in options.tracks if each <= _RIVAL_TRACKS], default=0)
    if not number:
        return {"skipped": f"no --tracks of at most {_RIVAL_TRACKS:,}"}
    if not search_rival.installed():
        return search_rival.NOT_INSTALLED
    steps.next(f"milli, {number:,} tracks")
    records = list(tracks(number, options.seed))
    sample = records[:: max(1, number // _SAMPLE)]
    return search_rival.measure(
        workdir / "milli",
        records,
        queries(sample, _WARM, options.seed + 1, options.typos),
        queries(sample, options.queries, options.seed, options.typos),
    )


def _over_http(place: Place, texts: Sequence[str], load_s: float) -> dict[str, Any]:
    """Whole requests to a server process, over one connection and over several."""
    with served(place) as port:
        target = http_search.Target("127.0.0.1", port, APPLICATION, place.admin_key)
        messages = [
            http_search.request(target, "POST", f"/1/indexes/{INDEX}/query", {"query": text})
            for text in texts
        ]
        loads = {
            str(connections): asyncio.run(http_search.load(target, messages, connections, load_s))
            for connections in _CONNECTIONS
        }
    refused = {k: n for load in loads.values() for k, n in load.statuses.items() if k != 200}
    if refused:
        raise BenchError(f"over HTTP, answers were {refused}")
    return {
        connections: {
            "requests_per_s": round(load.requests_per_s, 1),
            "ms": {
                name: round(value, 3)
                for name, value in asdict(load).items()
                if name.endswith("_ms")
            },
        }
        for connections, load in loads.items()
    }


def _filled(filled: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "records": filled["records"],
        "indexed_per_s": round(filled["records"] / filled["visible_s"]),
        "indexing_s": round(filled["visible_s"], 2),
        "index_bytes": filled["index_bytes"],
        "folder_bytes": filled["folder_bytes"],
        "indexing_peak_rss_bytes": filled["peak_rss_bytes"],
    }


def _opened(asked: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "open_s": round(asked["open_s"], 3),
        "rss_bytes": asked["rss_bytes"],
        "bare_rss_bytes": asked["bare_rss_bytes"],
    }


def _asked(asked: Mapping[str, Any], number: int) -> dict[str, Any]:
    return {
        **_opened(asked),
        "queries": number,
        "search_ms": spread_ms(asked["times_s"]),
        "search_cpu_ms": spread_ms(asked["cpu_times_s"]),
        "filtered_search_ms": spread_ms(asked["filtered_s"]),
        "queries_per_s": round(number / asked["wall_s"], 1),
        "queries_per_core_s": round(number / asked["cpu_s"], 1),
        "queries_per_s_two_threads": round(number / asked["two_threads_s"], 1),
        "with_hits_percent": round(100 * asked["with_hits"] / number, 1),
        "write_to_visible_ms": spread_ms(asked["write_s"]),
    }


def _write(path: Path, records: Iterable[dict[str, Any]], step: int) -> list[dict[str, Any]]:
    """Write NDJSON; every `step`th record."""
    sample: list[dict[str, Any]] = []
    with path.open("wb") as file:
        for number, record in enumerate(records):
            file.write(orjson.dumps(record) + b"\n")
            if number % step == 0:
                sample.append(record)
    return sample


def _machine() -> dict[str, Any]:
    return {
        "cpus": os.cpu_count(),
        "processor": _processor(),
        "python": platform.python_version(),
        "tantivy": version("tantivy"),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _tracks(text: str) -> int:
    try:
        value = int(text.replace("_", ""))
    except ValueError:
        value = 0
    if not 1000 <= value <= 10_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of tracks, 1000 to 10000000")
    return value


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share, 0 to 1")
    return value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
