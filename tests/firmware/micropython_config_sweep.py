"""Power is cut at every flash operation of a save, on the littlefs that boards have.

Old or new is found after each cut, never neither, and the next save works as ever.
"""

import vfs

from phantom import config
from phantom.authority import Authority
from tests.firmware.flash_chip import SECTOR, FlashChip
from tests.portable import Random

PORTABLE = True
HEAP_KIB = 4096

_SECTORS = 32
_PATH = "/sweep/device.json"
# How much of the last operation is done: nothing, a piece, half, all but the end.
_TORN = (0, 37, 128, 255)


def _chip_with(saves):
    memory = bytearray(b"\xff" * (_SECTORS * SECTOR))
    chip = FlashChip(memory)
    vfs.VfsLfs2.mkfs(chip)
    vfs.mount(vfs.VfsLfs2(chip), "/sweep")
    saves()
    vfs.umount("/sweep")
    return memory


def _run(memory, cut_at, torn, action):
    """Mount, act, lose power; returns (memory after, whether the action ended, operations)."""
    memory = bytearray(memory)
    chip = FlashChip(memory, cut_at, torn)
    ended = False
    vfs.mount(vfs.VfsLfs2(chip), "/sweep")
    try:
        action()
        ended = True
    except OSError:
        pass
    vfs.umount("/sweep")
    return memory, ended, chip.operations


def _found(memory, load):
    out = []
    _run(memory, None, 0, lambda: out.append(load()))
    return out[0] if out else None


def sweep(memory, save, load, old, new):
    """Cut power everywhere in save(new) on a chip that holds `old`; returns how many cuts."""
    _, _, operations = _run(memory, None, 0, lambda: save(new))
    cuts = 0
    outcomes = set()
    for cut_at in range(1, operations + 1):
        for torn in _TORN:
            after, ended, _ = _run(memory, cut_at, torn, lambda: save(new))
            found = _found(after, load)
            outcomes.add(found)
            assert found == new or (found == old and not ended), (cut_at, torn, found)
            # The save after it is cut too, at each place in turn.
            _save_again(after, cut_at % operations + 1, torn, save, load)
            cuts += 2
    assert outcomes == {old, new}  # the cuts fell on both sides of the moment that counts
    return cuts


def _save_again(memory, cut_at, torn, save, load):
    old = _found(memory, load)
    new = old + ("again",)  # noqa: RUF005 - boards have no other way
    memory, ended, _ = _run(memory, cut_at, torn, lambda: save(new))
    found = _found(memory, load)
    assert found == new or (found == old and not ended), (cut_at, torn, found)
    memory, ended, _ = _run(memory, None, 0, lambda: save(new))
    assert ended
    assert _found(memory, load) == new


def _save(content):
    config.save(_PATH, {"it": list(content)})


def _load():
    return tuple(_tuples(config.load(_PATH, _silent)["it"]))


def _silent(text):
    del text


def _tuples(items):
    return [tuple(_tuples(i)) if isinstance(i, list) else i for i in items]


def _as_a_flasher_writes():
    with open(_PATH, "w") as f:
        f.write('{"it": ["first"]}')


def test_a_cut_anywhere_in_a_save_leaves_old_or_new():
    starts = (
        (_as_a_flasher_writes, ("first",)),
        (lambda: _save(("first",)), ("first",)),
        (lambda: (_save(("first",)), _save(("second",))), ("second",)),
    )
    cuts = 0
    for saves, old in starts:
        cuts += sweep(_chip_with(saves), _save, _load, old, ("third",))
    print("config:", cuts, "cuts of power")
    assert cuts > 0


def test_a_cut_anywhere_in_a_long_save_leaves_old_or_new():
    old = tuple("an entry" + str(i) for i in range(600))
    new = tuple("another" + str(i) for i in range(700))
    cuts = sweep(_chip_with(lambda: _save(old)), _save, _load, old, new)
    print("config, long:", cuts, "cuts of power")
    assert cuts > 0


def _save_topology(names):
    topology = Authority("box")
    for number, name in enumerate(names):
        topology.apply("s:" + str(100 + number), {"name": name})
    config.save_lines(_PATH, topology.lines())


def _load_topology():
    topology = Authority("box")
    config.load_lines(_PATH, topology.restore, _silent)
    return tuple(entry[3]["name"] for entry in topology.entries("", 1 << 20)[0])


def test_a_cut_anywhere_in_a_save_of_the_topology_leaves_old_or_new():
    old = tuple("Room " + str(i) for i in range(40))
    new = tuple("Place " + str(i) for i in range(50))
    memory = _chip_with(lambda: _save_topology(old))
    cuts = sweep(memory, _save_topology, _load_topology, old, new)
    print("topology:", cuts, "cuts of power")
    assert cuts > 0


def test_a_cut_anywhere_in_the_making_of_a_second_copy_loses_nothing():
    memory = _chip_with(_as_a_flasher_writes)
    _, _, operations = _run(memory, None, 0, lambda: config.keep(_PATH))
    cuts = 0
    for cut_at in range(1, operations + 1):
        for torn in _TORN:
            after, _, _ = _run(memory, cut_at, torn, lambda: config.keep(_PATH))
            assert _found(after, _load) == ("first",)
            cuts += 1
    print("second copy:", cuts, "cuts of power")
    assert cuts > 0


def test_a_file_damaged_at_any_place_is_made_up_for_by_its_copy():
    random = Random(5)
    told = []

    def damage():
        _save(("first",))
        _save(("second",))
        with open(_PATH, "rb") as f:
            octets = bytearray(f.read())
        octets[random.below(len(octets))] ^= 1 << random.below(8)
        with open(_PATH, "wb") as f:
            f.write(octets)

    for _ in range(40):
        memory = _chip_with(damage)
        _run(memory, None, 0, lambda: told.append(config.load(_PATH, told.append)["it"]))
        assert told[-1] in (["first"], ["second"]), told
    assert any("is damaged" in text for text in told if isinstance(text, str))


def _write_garbage(random):
    garbage = bytes(random.below(256) for _ in range(random.below(300)))
    for name in (_PATH, _PATH + config.NEW, _PATH + config.OLD):
        with open(name, "wb") as f:
            f.write(garbage)


def _read_garbage():
    assert config.load_or(_PATH, None, _silent) is None
    _save(("after",))
    return _load()


def test_no_garbage_in_all_copies_is_believed_or_does_harm():
    random = Random(9)
    for _ in range(200):
        memory = _chip_with(lambda: _write_garbage(random))
        assert _found(memory, _read_garbage) == ("after",)
