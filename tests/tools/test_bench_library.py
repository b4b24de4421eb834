"""The bench of the library beside music, on a small house."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.networks import require_network
from tools.bench import library, results
from tools.demo.house import HouseError

TIMED = True


@pytest.mark.usefixtures("micropython")
def test_it_tells_of_the_music_and_of_the_librarys_process_spell_by_spell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    require_network()
    monkeypatch.setattr(results, "state_folder", lambda: tmp_path)
    asked = ["--boards", "1", "--files", "30", "--seconds", "1", "--settle-s", "1", "--json"]
    assert library.main(asked) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["searches"] > 0
    spells = {spell["spell"]: spell for spell in result["spells"]}
    assert list(spells) == ["before", "reading", "searching"]
    assert spells["reading"]["library_cpu_percent"] > 0
    assert all(spell["error_max_us"] > 0 for spell in spells.values())
    assert {path.name for path in (tmp_path / "bench").iterdir()} == {"library.json"}


def test_a_library_that_ends_in_the_middle_is_told_with_its_last_words(tmp_path: Path):
    socket, log = str(tmp_path / "library.sock"), tmp_path / "box.log"
    log.write_text("OSError: it is full\nlibrary.ended status=1\n")
    told = {"complete": True, "socket": socket, "trouble": "its process ended"}
    house: Any = SimpleNamespace(call=lambda _: told, box_log=log)
    with subprocess.Popen(
        [sys.executable, "-c", "input()", socket], stdin=subprocess.PIPE
    ) as running:
        process = library._Process(house)
        spell = process.begin("before")
        running.communicate(b"\n")
    with pytest.raises(HouseError, match=r"ended in the middle: its process ended(.|\n)*is full"):
        process.begin("reading", spell)
