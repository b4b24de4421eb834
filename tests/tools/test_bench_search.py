"""What `phantom bench search` measures, and the corpus of apt's packages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tools.bench import results, search, search_packages
from tools.bench.latencies import spread_ms
from tools.bench.search_packages import NoPackages

AVAILABLE = """\
Package: espeak
Version: 1
Description: Multi-lingual software speech synthesizer
 eSpeak reads texts aloud,
 .
 in many voices.
Section: sound
Priority: optional

Package: bash
Depends: base-files (>= 2.1.12),
 debianutils (>= 5.6-0.1)
Description-en: GNU Bourne Again SHell
Section: shells
Priority: required
"""


@pytest.fixture(name="figures", scope="module")
def _figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The bench's file, from a run in the small."""
    folder = tmp_path_factory.mktemp("bench")
    known = list(search_packages.parsed(AVAILABLE.splitlines()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(results, "folder", lambda: folder)
        patch.setattr(search_packages, "packages", lambda: known)
        patch.setattr(search, "_WARM", 5)
        patch.setattr(search, "_WRITES", 3)
        patch.setattr(search, "_CONNECTIONS", (8,))
        small = "--json --tracks 1000 --queries 20 --packages 5 --seconds 1 --typos 0"
        assert search.main(small.split()) == 0
    return json.loads((Path(folder) / "search.json").read_text())


def test_every_figure_that_is_promised_is_there(figures: dict[str, Any]):
    (tracks,) = figures["tracks"]
    assert tracks["records"] == 1000
    assert tracks["with_hits_percent"] == 100
    for name in ("search_ms", "search_cpu_ms", "filtered_search_ms", "write_to_visible_ms"):
        assert 0 < tracks[name]["p50"] <= tracks[name]["p99"] <= tracks[name]["max"]
    for name in (
        *("indexed_per_s", "index_bytes", "indexing_peak_rss_bytes", "open_s", "rss_bytes"),
        *("queries_per_s", "queries_per_core_s", "queries_per_s_two_threads"),
    ):
        assert tracks[name] > 0
    assert tracks["http"]["8"]["requests_per_s"] > 0
    assert Path(figures["plot"]).stat().st_size > 10_000
    told = search.summary(figures)
    assert "1,000 tracks" in told
    assert "over HTTP, 8 at a time" in told


def test_packages_are_found_letter_by_letter(figures: dict[str, Any]):
    apt = figures["apt"]
    assert apt["records"] == 2
    assert apt["found_percent"] == 100
    assert apt["letters_to_find"] >= 1
    assert apt["keystrokes"] == sum(
        len(keys)
        for _, keys in search_packages.typed(
            list(search_packages.parsed(AVAILABLE.splitlines())), 5, 1, 0.0
        )
    )


def test_descriptions_are_read_from_debians_control_format():
    espeak, bash = search_packages.parsed(AVAILABLE.splitlines())
    assert espeak == {
        "objectID": "espeak",
        "name": "espeak",
        "summary": "Multi-lingual software speech synthesizer",
        "description": "eSpeak reads texts aloud, in many voices.",
        "section": "sound",
        "importance": 1,
    }
    assert bash["summary"] == "GNU Bourne Again SHell"
    assert bash["importance"] == 4
    assert "description" not in bash


def test_where_there_is_no_apt_the_rest_is_measured_and_that_is_said(monkeypatch):
    monkeypatch.setattr(search_packages.shutil, "which", lambda _: None)
    with pytest.raises(NoPackages, match="no apt"):
        search_packages.packages()


def test_spreads_are_in_milliseconds():
    assert spread_ms([0.001, 0.002, 0.003]) == {"p50": 2, "p90": 2.8, "p99": 2.98, "max": 3}
    assert spread_ms([]) == {}


@pytest.mark.parametrize("words", ["--tracks 10", "--tracks many", "--typos 2", "--queries 0"])
def test_what_cant_be_measured_is_one_line(words: str, capsys: pytest.CaptureFixture[str]):
    assert search.main(words.split()) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
