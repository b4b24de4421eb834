"""Config in flash: what was saved is read, and nothing damaged is believed."""

import pytest

from phantom import config


def _silent(text):
    del text


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
    for content in ("", "{", "[1]", '{"a": 1}\ncrc32 00000000\n', "[" * 60_000, "{}" * 40_000):
        path.write_text(content)
        with pytest.raises(config.ConfigError, match=r"is damaged .*provision the board again"):
            config.load(str(path))
    with pytest.raises(config.Missing, match="missing"):
        config.load(str(tmp_path / "none.json"))


def test_a_flipped_bit_is_noticed(tmp_path):
    path = tmp_path / "device.json"
    config.save(str(path), {"id": "kitchen"})
    path.write_text(path.read_text().replace("kitchen", "kitcheo"))
    with pytest.raises(config.ConfigError, match="wrong checksum"):
        config.load(str(path))


def test_a_damaged_or_missing_file_is_made_up_for_by_the_version_before_it(tmp_path):
    path = tmp_path / "device.json"
    config.save(str(path), {"id": "first"})
    config.save(str(path), {"id": "second"})
    for damage in (lambda: path.write_bytes(b"\xff\x00garbage"), path.unlink):
        damage()
        told = []
        assert config.load(str(path), told.append) == {"id": "first"}
        assert len(told) == 1
        assert told[0].endswith(f"its copy {path}.old is used")


def test_a_damaged_file_does_not_take_the_place_of_its_good_copy(tmp_path):
    path = tmp_path / "device.json"
    config.save(str(path), {"id": "first"})
    config.save(str(path), {"id": "second"})
    path.write_text("garbage")
    config.save(str(path), {"id": "third"})
    path.write_text("garbage")
    assert config.load(str(path), _silent) == {"id": "first"}


def test_a_file_that_only_a_flasher_wrote_gets_a_second_copy(tmp_path):
    path = tmp_path / "board.json"
    path.write_text('{\n  "name": "esp32_generic"\n}\n')
    config.keep(str(path))
    path.write_text("garbage")
    assert config.load(str(path), _silent) == {"name": "esp32_generic"}
    config.keep(str(path))  # nothing good to keep: the copy stays
    assert config.load(str(path), _silent) == {"name": "esp32_generic"}


def test_a_saved_file_that_lost_its_second_copy_gets_one_again(tmp_path):
    path = tmp_path / "device.json"
    config.save(str(path), {"id": "kitchen"})
    config.keep(str(path))
    path.write_text("garbage")
    assert config.load(str(path), _silent) == {"id": "kitchen"}


def test_a_default_stands_in_and_only_damage_is_told(tmp_path):
    path = tmp_path / "boots.json"
    told = []
    assert config.load_or(str(path), {"boot": 0}, told.append) == {"boot": 0}
    assert not told
    path.write_text("garbage")
    assert config.load_or(str(path), {"boot": 0}, told.append) == {"boot": 0}
    assert "is damaged" in told[0]


def test_a_save_that_fails_half_way_leaves_the_old_content(tmp_path, monkeypatch):
    path = str(tmp_path / "device.json")
    config.save(path, {"id": "old"})

    def full(*_):
        raise OSError(28)

    monkeypatch.setattr(config.os, "rename", full)
    with pytest.raises(OSError):
        config.save(path, {"id": "new"})
    assert config.load(path) == {"id": "old"}
