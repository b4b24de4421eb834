"""Which installation a device belongs to, over starts, joins and leaves."""

import os
from binascii import hexlify

from phantom import config, membership
from phantom.membership import Membership
from tests.portable import raises

PORTABLE = True

_FOLDER = "/tmp/phantom-membership-" + hexlify(os.urandom(6)).decode()
_ID, _KEY = b"\1" * 8, b"\2" * 32


def _start(name="kitchen"):
    us = Membership(name, os.urandom, _FOLDER)
    us.show_code()
    return us


class _flash:  # noqa: N801 - reads like a statement
    """An empty folder for a block."""

    def __enter__(self):
        os.mkdir(_FOLDER)

    def __exit__(self, *_):
        for name in os.listdir(_FOLDER):
            os.remove(_FOLDER + "/" + name)
        os.rmdir(_FOLDER)


def test_a_new_device_belongs_to_none_and_shows_a_code():
    with _flash():
        us = _start()
        assert not us.adopted
        assert us.installation == bytes(8)
        assert us.key == bytes(32)
        assert us.fault is None
        assert us.code == membership.tidy_code(us.code)
        assert us.code != _start().code


def test_starts_are_counted():
    with _flash():
        assert [_start().boot for _ in range(3)] == [1, 2, 3]


def test_a_count_that_is_lost_begins_again():
    with _flash():
        for bad in ('{"boots": "x"}', "}", '{"boots": -1}', "{}"):
            with open(_FOLDER + membership.BOOTS, "w") as f:
                f.write(bad)
            assert _start().boot == 1


def test_what_it_joined_it_belongs_to_after_a_restart():
    with _flash():
        us = _start()
        told = []
        us.watch(lambda: told.append(us.adopted))
        us.join(_ID, _KEY, "home")
        assert told == [True]
        assert us.code is None
        assert us.code_key() is None
        again = _start()
        assert (again.adopted, again.installation, again.key) == (True, _ID, _KEY)
        assert again.name == "home"


def test_after_leaving_no_copy_holds_the_key():
    with _flash():
        us = _start()
        us.join(_ID, _KEY, "home")
        us.leave()
        assert not us.adopted
        assert us.code is not None
        assert not _start().adopted
        for name in os.listdir(_FOLDER):
            with open(_FOLDER + "/" + name) as f:
                assert "0202020202" not in f.read(), name


def test_garbage_in_flash_is_a_fault_and_no_installation():
    with _flash():
        for bad in (
            "\0\0",
            "[]",
            '{"id": "00", "key": "00", "name": 1}',
            '{"id": 1}',
            '{"id": "zz"}',
        ):
            with open(_FOLDER + membership.INSTALLATION, "w") as f:
                f.write(bad)
            us = _start()
            assert not us.adopted, bad
            assert us.fault, bad
            assert us.code


def test_an_installation_without_a_key_is_none():
    with _flash():
        us = _start()
        for wrong in ((bytes(8), _KEY, ""), (_ID, bytes(32), ""), (_ID, _KEY, 1), (_ID, b"k", "")):
            with raises(ValueError):
                us.join(*wrong)
            assert not us.adopted


def test_a_code_is_taken_however_it_was_typed_and_refused_with_a_remedy():
    assert membership.tidy_code(" abcd efgh2345") == "ABCD-EFGH-2345"
    for wrong in ("", "ABCD-EFGH-234", "ABCD-EFGH-2341", "ABCD-EFGH-23456"):
        with raises(ValueError) as caught:
            membership.tidy_code(wrong)
        assert "serial console" in str(caught.value)


def test_a_code_makes_another_key_on_every_device():
    key = membership.code_key("ABCD-EFGH-2345", "kitchen")
    assert len(key) == 32
    assert key != membership.code_key("ABCD-EFGH-2345", "bedroom")
    assert key != membership.code_key("ABCD-EFGH-2346", "kitchen")


def test_config_is_what_holds_it():
    with _flash():
        us = _start()
        us.join(_ID, _KEY, "home")
        stored = config.load(_FOLDER + membership.INSTALLATION)
        assert stored == {"id": "01" * 8, "key": "02" * 32, "name": "home"}
