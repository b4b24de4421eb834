"""Whether a board is to get a bundle: what is known of it, and what is said then."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from storagebox.coordinator.updates.candidate import Candidate
from storagebox.coordinator.updates.verdict import FROZEN_REMEDY, fitting, verdict
from tests.coordinator.living_boards import bundle_of


@dataclass
class Known:
    """A board of the house as it is known; by default one that is silent and well."""

    version: str = "0.1.0"
    slot: str = "a"
    safe: bool = False
    connected: bool = True
    why_away: str = "switched off"
    board: str = "esp32_generic"
    arch: str = "xtensawin"
    failed: list[str] = field(default_factory=list[str])
    update: dict[str, Any] = field(default_factory=dict[str, Any])


def judge(tmp_path: Path, sent: str, force: bool = False, **known: Any) -> tuple[str, str]:
    return verdict(cast("Candidate", Known(**known)), bundle_of(tmp_path, sent), force)


@pytest.mark.parametrize(
    ("version", "known", "state"),
    [
        ("0.2.0", {}, "pending"),
        ("0.1.0", {}, "current"),
        ("0.1.0", {"slot": "frozen"}, "current"),
        ("0.2.0", {"slot": "frozen"}, "skipped"),
        ("0.2.0", {"slot": ""}, "skipped"),
        ("0.2.0", {"connected": False}, "skipped"),
        ("0.0.9", {}, "skipped"),
        ("0.9.0", {"version": "0.10.0"}, "skipped"),
        ("0.10.0", {"version": "0.9.0"}, "pending"),
        ("0.1.0+test", {}, "pending"),
        ("0.2.0", {"failed": ["0.2.0"]}, "skipped"),
        ("0.2.1", {"failed": ["0.2.0"]}, "pending"),
        ("0.1.0", {"update": {"state": "trial"}}, "pending"),
        ("0.1.0", {"update": {"state": "proven"}}, "pending"),
        ("0.1.0", {"update": {"state": "confirmed"}}, "current"),
        ("0.1.0", {"slot": "safe", "safe": True}, "pending"),
        ("0.0.9", {"slot": "safe", "safe": True, "failed": ["0.0.9"]}, "pending"),
        ("0.1.0", {"slot": "frozen", "safe": True}, "skipped"),
    ],
)
def test_a_version_is_new_the_same_or_not_to_be(
    tmp_path: Path, version: str, known: dict[str, Any], state: str
):
    found, reason = judge(tmp_path, version, **known)
    assert found == state
    assert bool(reason) == (state == "skipped")


@pytest.mark.parametrize(
    ("version", "known"), [("0.1.0", {}), ("0.0.9", {}), ("0.2.0", {"failed": ["0.2.0"]})]
)
def test_force_sends_what_is_there_older_or_has_failed(
    tmp_path: Path, version: str, known: dict[str, Any]
):
    assert judge(tmp_path, version, force=True, **known) == ("pending", "")


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0"])
def test_force_does_not_write_what_is_in_an_image(tmp_path: Path, version: str):
    assert judge(tmp_path, version, force=True, slot="frozen") == ("skipped", FROZEN_REMEDY)


def test_a_bundle_for_the_very_kind_of_board_goes_before_one_for_any(tmp_path: Path):
    other = bundle_of(tmp_path, board="other", arch="xtensawin")
    anyone = bundle_of(tmp_path, arch="xtensawin")
    own = bundle_of(tmp_path, board="esp32_generic", arch="xtensawin")
    riscv = bundle_of(tmp_path, board="esp32_generic", arch="rv32imc")
    portable = bundle_of(tmp_path, arch="bytecode")
    board = cast("Candidate", Known())
    assert fitting(board, [other, riscv, anyone, own]) is own
    assert fitting(board, [other, riscv, anyone]) is anyone
    assert fitting(board, [other, riscv, portable]) is portable
    assert fitting(board, [other, riscv]) is None
    assert fitting(board, []) is None
