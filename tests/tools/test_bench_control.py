"""The bench of control, on a small house."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.networks import require_network
from tools.bench import control, results

TIMED = True


@pytest.mark.usefixtures("micropython")
def test_control_tells_how_soon_boards_answer_obey_and_tell_amid_uploads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    require_network()
    monkeypatch.setattr(results, "state_folder", lambda: tmp_path)
    monkeypatch.setattr(control, "UPLOAD_BYTES", 100_000)
    asked = ["--boards", "2", "--calls", "6", "--changes", "3", "--settle-s", "1", "--json"]
    assert control.main(asked) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert json.loads((tmp_path / "bench" / "control.json").read_text()) == result
    for state in ("idle", "music", "upload"):
        for name in ("call_ms", "volume_ms", "property_ms"):
            assert set(result[state][name]) == {"p50", "p95", "p99", "max"}
            assert result[state][name]["max"] > 0
    assert result["upload"]["upload_kbytes_per_s"]["p50"] > 0
    assert {path.name for path in (tmp_path / "bench").iterdir()} == {"control.json"}
