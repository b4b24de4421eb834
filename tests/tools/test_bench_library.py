"""The bench of the library beside music, on a small house."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.networks import require_network
from tools.bench import library, results

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
