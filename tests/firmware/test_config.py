"""Config in flash: what was saved is read, and nothing damaged is believed."""

import json

import pytest

from phantom import config


def test_what_is_saved_is_read(tmp_path):
    path = str(tmp_path / "device.json")
    config.save(path, {"id": "kitchen", "name": "Küche", "trim_us": -120})
    assert config.load(path) == {"id": "kitchen", "name": "Küche", "trim_us": -120}


def test_a_file_as_a_flasher_writes_it_needs_no_checksum(tmp_path):
    path = tmp_path / "board.json"
    path.write_text('{"name": "esp32_generic"}')
    assert config.load(str(path)) == {"name": "esp32_generic"}


def test_each_fault_is_named_with_its_remedy(tmp_path):
    path = tmp_path / "device.json"
    for content in ("", "{", "[1]", '{"crc": 1, "content": "{}"}', '{"crc": 1}'):
        path.write_text(content)
        with pytest.raises(config.ConfigError, match="provision the board again"):
            config.load(str(path))
    with pytest.raises(config.ConfigError, match="missing"):
        config.load(str(tmp_path / "none.json"))


def test_a_flipped_bit_is_noticed(tmp_path):
    path = tmp_path / "device.json"
    config.save(str(path), {"id": "kitchen"})
    stored = json.loads(path.read_text())
    stored["content"] = stored["content"].replace("kitchen", "kitcheo")
    path.write_text(json.dumps(stored))
    with pytest.raises(config.ConfigError, match="damaged"):
        config.load(str(path))


def test_a_save_that_fails_half_way_leaves_the_old_content(tmp_path, monkeypatch):
    path = str(tmp_path / "device.json")
    config.save(path, {"id": "old"})

    def full(*_):
        raise OSError(28)

    monkeypatch.setattr(config.os, "rename", full)
    with pytest.raises(OSError):
        config.save(path, {"id": "new"})
    assert config.load(path) == {"id": "old"}
