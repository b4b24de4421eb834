"""The bench of flashing: what it reads from a box's log, and a run of its first half."""

import json
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tools.bench import flash, results
from tools.demo.house import HouseError

TIMED = True

RETURNED = {
    "unheard": 0,
    "reset_to_registrar_s": flash.spread([0.9]),
    "reset_to_link_s": flash.spread([1.0]),
    "reset_to_sound_s": flash.spread([1.2, 1.4, 1.3]),
}


def line(at: float, event: str) -> str:
    since = timedelta(seconds=at - time.monotonic())
    return f"{(datetime.now().astimezone() + since).isoformat(timespec='milliseconds')} {event}"


def test_each_reset_is_followed_to_the_registrar_and_to_the_link():
    now = time.monotonic()
    log = "\n".join(
        (
            line(now - 9.0, "peer.added id=kitchen address=127.77.0.11"),
            line(now - 9.0, "link.up device=kitchen boot=1"),
            line(now - 4.5, "peer.updated id=bedroom address=127.77.0.12"),
            line(now - 4.0, "peer.updated id=kitchen address=127.77.0.11"),
            line(now - 3.8, "link.up device=kitchen boot=2"),
            line(now - 1.5, "peer.added id=kitchen address=127.77.0.11"),
            line(now - 1.0, "link.up device=kitchen boot=3"),
            "no event",
        )
    )
    at_us = [int((now - ago) * 1e6) for ago in (5.0, 2.0)]
    listed, linked = flash._seen(log, "kitchen", at_us)
    assert listed == pytest.approx([1.0, 0.5], abs=0.05)
    assert linked == pytest.approx([1.2, 1.0], abs=0.05)
    with pytest.raises(HouseError, match="no peer after a reset of garden"):
        flash._seen(log, "garden", at_us)


def test_flashing_is_measured_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(results, "state_folder", lambda: tmp_path)
    monkeypatch.setattr(flash.standin, "micropython", _small(flash.standin.micropython))
    monkeypatch.setattr(flash, "NOISE_BYTES", 0x4000)
    monkeypatch.setattr(flash, "_resets", lambda *_: RETURNED)
    assert flash.main(["--runs", "1", "--board-profile", "esp32c3"]) == 0
    *told, last = capsys.readouterr().out.splitlines()
    result: dict[str, Any] = json.loads(last)
    assert json.loads((tmp_path / "bench" / "flash.json").read_text()) == result
    for name in ("flash_s", "again_s", "esptool_4mb_s"):
        assert 0 < result[name]["min"] <= result[name]["median"] <= result[name]["max"]
    assert 50_000 < result["line_bytes"] < result["written_bytes"]
    assert any("reset to sound in time    1.3 s  (1.2 to 1.4)" in text for text in told)
    assert {path.name for path in (tmp_path / "bench").iterdir()} == {"flash.json"}


def _small(make: Any) -> Any:
    return lambda chip: make(chip, application_bytes=60_000)
