"""The figures of `phantom bench search` for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def summary(result: Mapping[str, Any]) -> str:
    """A block for each corpus."""
    lines: list[str] = []
    for each in result["tracks"]:
        lines += _track_lines(each)
    lines += _apt_lines(result["apt"])
    lines += _rival_lines(result["milli"])
    lines.append(f"plot {result['plot']}")
    return "\n".join(lines)


def _track_lines(each: Mapping[str, Any]) -> list[str]:
    rates = (
        f"{each['queries_per_s']:,.0f} on one thread",
        f"{each['queries_per_core_s']:,.0f} a core",
        f"{each['queries_per_s_two_threads']:,.0f} on two threads",
    )
    lines = [
        f"{each['records']:,} tracks",
        *_index_lines(each),
        _line("a search, ms", _spread(each["search_ms"])),
        _line("  of the processor, ms", _spread(each["search_cpu_ms"])),
        _line("with filter and facet, ms", _spread(each["filtered_search_ms"])),
        _line("searches a second", "   ".join(rates)),
        _line("write to visible, ms", _spread(each["write_to_visible_ms"])),
    ]
    for connections, load in each.get("http", {}).items():
        told = f"{load['requests_per_s']:,.0f} a second   ms: {_spread(load['ms'])}"
        lines.append(_line(f"over HTTP, {connections} at a time", told))
    return lines


def _index_lines(each: Mapping[str, Any]) -> list[str]:
    indexed = (
        f"{each['indexed_per_s']:,} a second",
        f"{_megabytes(each['index_bytes'])} on disk",
        f"{_megabytes(each['indexing_peak_rss_bytes'])} of memory at most",
    )
    opened = f"{each['open_s']:.2f} s", f"{_megabytes(each['rss_bytes'])} of memory"
    return [_line("indexed", "   ".join(indexed)), _line("opened", "   ".join(opened))]


def _apt_lines(apt: Mapping[str, Any]) -> list[str]:
    if "skipped" in apt:
        return ["packages of apt", f"  {apt['skipped']}"]
    found = f"{apt['found_percent']} % of {apt['looked_for']}"
    return [
        f"{apt['records']:,} packages of apt",
        *_index_lines(apt),
        _line("a keystroke, ms", _spread(apt["keystroke_ms"])),
        _line("among the first five", f"{found}, after {apt['letters_to_find']} letters"),
    ]


def _rival_lines(rival: Mapping[str, Any]) -> list[str]:
    lines = ["milli, the core of Meilisearch"]
    if "skipped" in rival:
        return [*lines, f"  {rival['skipped']}"]
    return [
        *lines,
        _line("indexed", f"{rival['records_per_s']:,} a second"),
        _line("a search, ms", _spread(rival["search_ms"])),
        _line("searches a second", f"{rival['queries_per_s']:,.0f} on one thread"),
    ]


def _spread(figures: Mapping[str, float]) -> str:
    return "   ".join(f"{name.removesuffix('_ms')} {value:g}" for name, value in figures.items())


def _line(title: str, told: str) -> str:
    return f"  {title:<26}{told}"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"
