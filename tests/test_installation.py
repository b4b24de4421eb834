"""The box's installation: founded once, kept safe, and never made up where one is damaged."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from storagebox import installation
from storagebox.installation import InstallationError


def test_the_first_start_founds_an_installation_and_later_ones_find_it(tmp_path: Path):
    first = installation.start(tmp_path / "box", "Casa")
    second = installation.start(tmp_path / "box", "ignored")
    assert first.name == second.name == "Casa"
    assert (first.installation, first.key, first.id) == (
        second.installation,
        second.key,
        second.id,
    )
    assert (first.boot, second.boot) == (1, 2)
    assert first.id.startswith("box-")
    assert any(first.key)


def test_nobody_else_may_read_the_key(tmp_path: Path):
    installation.start(tmp_path)
    mode = (tmp_path / installation.FILE).stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_two_boxes_of_one_home_share_all_but_their_ids(tmp_path: Path):
    shared = {"id": "01" * 8, "key": "02" * 32, "name": "home"}
    boxes: list[installation.Membership] = []
    for name in ("a", "b"):
        installation.found(tmp_path / name, shared)
        boxes.append(installation.start(tmp_path / name))
    assert boxes[0].key == boxes[1].key == b"\2" * 32
    assert boxes[0].installation == boxes[1].installation == b"\1" * 8
    assert boxes[0].id != boxes[1].id


def test_a_client_is_a_member_without_being_counted(tmp_path: Path):
    box = installation.start(tmp_path)
    client = installation.client(tmp_path)
    assert client.key == box.key
    assert client.id.startswith("client-")
    assert installation.start(tmp_path).boot == 2


def test_a_client_of_no_installation_is_told_what_to_do(tmp_path: Path):
    with pytest.raises(InstallationError, match="start a box"):
        installation.client(tmp_path)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"installation": "00", "key": "00", "name": "x", "boots": 1}'],
)
def test_a_damaged_file_is_named_and_never_replaced(tmp_path: Path, content: str):
    path = tmp_path / installation.FILE
    path.write_text(content)
    with pytest.raises(InstallationError, match=str(path)):
        installation.start(tmp_path)
    assert path.read_text() == content


def test_a_zero_key_is_none(tmp_path: Path):
    fields = {"installation": "01" * 8, "key": "00" * 32, "name": "x", "box": "box-1"}
    (tmp_path / installation.FILE).write_text(json.dumps(fields))
    with pytest.raises(InstallationError, match="no installation"):
        installation.start(tmp_path)
