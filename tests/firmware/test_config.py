"""Config in flash: what was saved is read, and nothing damaged is believed."""

import os

from phantom import config
from tests.portable import Folder, raises

PORTABLE = True


def _silent(text):
    del text


def _read(path):
    with open(path, "rb") as f:
        return f.read().decode()


def _write(path, text):
    with open(path, "wb") as f:
        f.write(text.encode())


def test_what_is_saved_is_read():
    with Folder() as folder:
        path = folder + "/device.json"
        config.save(path, {"id": "kitchen", "name": "Küche", "trim_us": -120})
        assert config.load(path) == {"id": "kitchen", "name": "Küche", "trim_us": -120}


def test_a_file_as_a_flasher_writes_it_needs_no_checksum():
    with Folder() as folder:
        _write(folder + "/board.json", '{"name": "esp32_generic"}')
        assert config.load(folder + "/board.json") == {"name": "esp32_generic"}


def test_each_fault_is_named_with_its_remedy():
    with Folder() as folder:
        path = folder + "/device.json"
        for content in (
            "", "{", "[1]", '{"a": 1}\ncrc32 00000000\n', "[" * 60_000, "{}" * 40_000,
        ):  # fmt: skip
            _write(path, content)
            with raises(config.ConfigError) as caught:
                config.load(path)
            told = str(caught.value)
            assert "is damaged " in told, content[:20]
            assert told.endswith("provision the board again"), content[:20]
        with raises(config.Missing) as caught:
            config.load(folder + "/none.json")
        assert "missing" in str(caught.value)


def test_a_flipped_bit_is_noticed():
    with Folder() as folder:
        path = folder + "/device.json"
        config.save(path, {"id": "kitchen"})
        _write(path, _read(path).replace("kitchen", "kitcheo"))
        with raises(config.ConfigError) as caught:
            config.load(path)
        assert "wrong checksum" in str(caught.value)


def test_a_damaged_or_missing_file_is_made_up_for_by_the_version_before_it():
    with Folder() as folder:
        path = folder + "/device.json"
        config.save(path, {"id": "first"})
        config.save(path, {"id": "second"})
        for damage in (lambda: _write(path, "garbage"), lambda: os.remove(path)):
            damage()
            told = []
            assert config.load(path, told.append) == {"id": "first"}
            assert len(told) == 1
            assert told[0].endswith("its copy " + path + ".old is used")


def test_what_is_no_text_is_damage_too():
    with Folder() as folder:
        path = folder + "/device.json"
        config.save(path, {"id": "first"})
        config.save(path, {"id": "second"})
        with open(path, "wb") as f:
            f.write(b"\xff\x00garbage")
        assert config.load(path, _silent) == {"id": "first"}


def test_a_damaged_file_does_not_take_the_place_of_its_good_copy():
    with Folder() as folder:
        path = folder + "/device.json"
        config.save(path, {"id": "first"})
        config.save(path, {"id": "second"})
        _write(path, "garbage")
        config.save(path, {"id": "third"})
        _write(path, "garbage")
        assert config.load(path, _silent) == {"id": "first"}


def test_a_file_that_only_a_flasher_wrote_gets_a_second_copy():
    with Folder() as folder:
        path = folder + "/board.json"
        _write(path, '{\n  "name": "esp32_generic"\n}\n')
        config.keep(path)
        _write(path, "garbage")
        assert config.load(path, _silent) == {"name": "esp32_generic"}
        config.keep(path)  # nothing good to keep: the copy stays
        assert config.load(path, _silent) == {"name": "esp32_generic"}


def test_a_saved_file_that_lost_its_second_copy_gets_one_again():
    with Folder() as folder:
        path = folder + "/device.json"
        config.save(path, {"id": "kitchen"})
        config.keep(path)
        _write(path, "garbage")
        assert config.load(path, _silent) == {"id": "kitchen"}


def test_a_default_stands_in_and_only_damage_is_told():
    with Folder() as folder:
        path = folder + "/boots.json"
        told = []
        assert config.load_or(path, {"boot": 0}, told.append) == {"boot": 0}
        assert not told
        _write(path, "garbage")
        assert config.load_or(path, {"boot": 0}, told.append) == {"boot": 0}
        assert "is damaged" in told[0]


class _FullOs:
    """`os` of a file system that has no room for one more name."""

    def __getattr__(self, name):
        return getattr(os, name)

    def rename(self, *_):
        raise OSError(28)


def test_a_save_that_fails_half_way_leaves_the_old_content():
    with Folder() as folder:
        path = folder + "/device.json"
        config.save(path, {"id": "old"})
        config.os = _FullOs()
        try:
            with raises(OSError):
                config.save(path, {"id": "new"})
        finally:
            config.os = os
        assert config.load(path) == {"id": "old"}
