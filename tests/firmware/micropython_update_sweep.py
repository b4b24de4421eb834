"""Power is cut at every flash operation of an update, of a way back, of a repair, of mending.

After each cut the board's own loader chooses on what is left: it finds a whole slot, old or new,
never neither; what its owner decided is as it was; and what was begun, begun again, ends well,
even if it is cut once more.

In the suite each operation is cut with one share of it done, in turn, and every fourth board goes
on to the end. With PHANTOM_SWEEP=all each is cut with each share, and all go on, uncut and cut
again; `pytest -rP` shows how many cuts there were.
"""

import os
from binascii import crc32

import vfs

import loader
from phantom import VERSION, config, mending
from phantom.updates import PROOF_MS
from tests.firmware.flash_chip import SECTOR, FlashChip, cut, cuts
from tests.firmware.lives import ROOT, Lives
from tests.firmware.updating import flash, get, put, text_of

PORTABLE = True
HEAP_KIB = 4096

_ALL = os.getenv("PHANTOM_SWEEP") == "all"
_SECTORS = 64


def _unheard(*_):
    pass


mending.print = _unheard  # pyright: ignore[reportAttributeAccessIssue]
# How much of the last operation is done: nothing, a piece, half, all but the end.
_TORN = (0, 37, 128, 255)
_GOES_ON = 1 if _ALL else 4  # of so many boards one
_CUT_AGAIN = 1 if _ALL else 12
_FEW = 16  # operations, each of which is cut with all shares
_STARTS = 8  # within which a board is through with whatever befalls it here

_OLDER, _OLD, _NEW = "0.0.9", "0.1.0", "0.2.0"
_SAFE, _ON_TRIAL = "safe mode", " on trial"
_SAFE_CODE = "phantom/safe.mpy"
_FILES = {
    _OLDER: {"phantom/device.mpy": b"older" * 900, "phantom/gone.mpy": b"gone" * 100},
    _OLD: {"phantom/device.mpy": b"old" * 1500, _SAFE_CODE: b"safe" * 300},
    _NEW: {"phantom/device.mpy": b"new" * 1501, _SAFE_CODE: b"safe" * 300, "phantom/x.mpy": b""},
}


def _file_lines(text):
    return [line for line in text.split(b"\n") if line.startswith(b"file ")]


_LINES = {version: _file_lines(text_of(_FILES[version])) for version in _FILES}
_DEVICE = {"id": "kitchen", "name": "Küche"}
_HOUSE = {"id": "ab" * 8, "key": "cd" * 32}


# A flash before it all


def _flashed(*slots, chosen=None, damaged=()):
    """A chip's memory: (slot, version) of code, what is chosen, and what its owner decided."""
    memory = bytearray(b"\xff" * (_SECTORS * SECTOR))
    chip = FlashChip(memory)
    vfs.VfsLfs2.mkfs(chip)
    vfs.mount(vfs.VfsLfs2(chip), ROOT)
    flash(ROOT, "safe", {_SAFE_CODE: _FILES[_OLD][_SAFE_CODE]}, _OLD)
    for path in mending.LOADERS:
        put(ROOT + path, b"loader" + crc32(b"loader").to_bytes(4, "little"))
    for slot, version in slots:
        flash(ROOT, slot, _FILES[version], version)
    if chosen:
        config.save(ROOT + loader.SELECTOR, chosen)
    for path in damaged:
        put(ROOT + path, b"X" + get(ROOT + path)[1:])
    config.save(ROOT + config.DEVICE, _DEVICE)
    config.save(ROOT + "/installation.json", _HOUSE)
    vfs.umount(ROOT)
    return memory


def _chosen(active, trial=None, failed=()):
    return {"active": active, "trial": trial, "failed": list(failed)}


# Lives: each returns what runs, once there is nothing more to do, and None before


def _wants_the_new_version(board, mark):
    """In a house that sends it, has it applied and lets it play."""
    runs = _what_runs(board)
    if runs == _NEW:
        return runs
    if runs == _NEW + _ON_TRIAL:
        mark("trial")
        _play_in_time(board)
        mark("confirmed")
        return None
    board.send(_FILES[_NEW], text_of(_FILES[_NEW], _NEW), force=True)
    _until(board, "ready")
    mark("ready")
    board.ask("update.apply")
    _until_restart(board)
    return None


def _crashes_on_trial(board, mark):
    """The new version ends before it is steady, each time; the old one writes that down."""
    runs = _what_runs(board)
    if board.boot.trial:
        return None
    board.chore()
    mark("rolled back")
    if board.boot.reason:
        assert board.state["state"] == "rolled-back"
        assert "in 3 attempts" in board.state["reason"]
    assert loader.read_selector(ROOT) == _chosen("a", failed=[_NEW])
    return runs


def _plays_nothing_on_trial(board, mark):
    """A box rejects the new version."""
    runs = _what_runs(board)
    if not board.boot.trial:
        assert loader.read_selector(ROOT) == _chosen("a", failed=[VERSION])
        return runs
    board.ask("update.reject", reason="answers, but plays nothing")
    mark("rolled back")
    _until_restart(board)
    return None


def _mends_itself(board, mark):
    """All is well but what would save it."""
    del mark
    runs = _what_runs(board)
    look = mending.Mending(ROOT + "/" + board.boot.slot, _unheard, ROOT)
    while look.step():
        pass
    if look.mended:
        return None
    assert loader.fault_in(ROOT + "/safe") is None
    assert [mending._sealed(ROOT + path) for path in mending.LOADERS] == [True, True]
    return runs


def _play_in_time(board):
    board.fare = (True, 0, 0)
    board.playing = True
    board.chore()
    board.now_ms += PROOF_MS
    board.chore()
    assert board.state["state"] == "proven"
    board.playing = False
    board.chore()
    assert board.state["state"] == "confirmed"


def _until(board, state):
    for _ in range(400):
        if board.state["state"] == state:
            return
        board.chore()
    raise AssertionError("never %s: %s" % (state, board.state))


def _until_restart(board):
    while not board.restarts:
        board.chore()


def _what_runs(board):
    """Its version, with all of its files, and whether it is on trial; or that it is safe mode.

    That a slot's files are what its manifest says has been looked at by the loader.
    """
    slot = board.boot.slot
    folder = ROOT + "/" + slot
    if slot == loader.SAFE:
        assert loader.fault_in(folder) is None
        return _SAFE
    version = loader.manifest_head(folder)["version"]
    assert _file_lines(get(folder + "/manifest")) == _LINES[version]
    return version + _ON_TRIAL if board.boot.trial else version


def _comes_up(board):
    """What runs, begun by a loader; and what the owner decided is there, in its first copy."""
    assert True in [mending._sealed(ROOT + path) for path in mending.LOADERS]
    assert config.load(ROOT + config.DEVICE, _raise) == _DEVICE
    assert config.load(ROOT + "/installation.json", _raise) == _HOUSE
    return _what_runs(board)


def _raise(text):
    raise AssertionError(text)


# The sweep


def _through(lives, life, mark=_unheard):
    for _ in range(_STARTS):
        runs = lives.live(lambda board: life(board, mark))
        if runs is not None:
            return runs
    raise AssertionError("no end after %d starts" % _STARTS)


def _sweep(what, memory, life, *stages):
    """Cut the power everywhere in what happens until `life` has nothing more to do.

    stages: (mark that `life` makes at its end, what may run after a cut in it), in their order;
    what the last one has runs in the end, with any cut.
    """
    ends = {}
    lives = Lives(bytearray(memory))
    end = stages[-1][1]
    runs = _through(lives, life, lambda name: ends.setdefault(name, len(lives.journal)))
    assert runs in end
    operations = len(lives.journal)
    tried = 0
    seen = set()
    for number, torn, after in cuts(memory, lives.journal, _TORN, _ALL or operations < _FEW):
        tried += 1
        cut_at = "%s: cut %d, in operation %d of %d, %d/256 of it done"
        cut_at %= (what, tried, number, operations, torn)
        allowed = next(may for name, may in stages if number < ends.get(name, operations))
        found = Lives(bytearray(after)).live(_comes_up)
        assert found in allowed, cut_at
        seen.add(found)
        if number % _GOES_ON:
            continue
        left = Lives(bytearray(after))
        assert _through(left, life) in end, cut_at
        if left.journal and number % _CUT_AGAIN == 0:
            tried += 1
            at = number * 7 % len(left.journal)
            left = Lives(cut(after, left.journal, at, torn))
            left.live(_comes_up)
            assert _through(left, life) in end, "%s, then in operation %d" % (cut_at, at)
    for _, may in stages:
        assert seen & set(may), "no cut fell before and after the moment that counts"
    print("%s: %d operations, %d cuts of power, all survived" % (what, operations, tried))


_TO_THE_NEW = (
    ("ready", (_OLD,)),
    ("trial", (_OLD, _NEW + _ON_TRIAL)),
    ("confirmed", (_NEW + _ON_TRIAL, _NEW)),
    ("end", (_NEW,)),
)


def test_a_cut_anywhere_in_a_boards_first_update_leaves_the_old_version_or_the_new():
    _sweep("first update", _flashed(("a", _OLD)), _wants_the_new_version, *_TO_THE_NEW)


def test_a_cut_anywhere_in_a_later_update_does_too():
    memory = _flashed(("b", _OLD), ("a", _OLDER), chosen=_chosen("b", failed=(_OLDER,)))
    _sweep("later update", memory, _wants_the_new_version, *_TO_THE_NEW)


def test_a_cut_anywhere_in_a_way_back_leaves_a_board_that_goes_back():
    memory = _flashed(("a", _OLD), ("b", _NEW), chosen=_chosen("a", "b"))
    stages = (("rolled back", (_NEW + _ON_TRIAL, _OLD)), ("end", (_OLD,)))
    _sweep("after three attempts", memory, _crashes_on_trial, *stages)
    _sweep("rejected", memory, _plays_nothing_on_trial, *stages)


def test_a_cut_anywhere_in_a_repair_leaves_a_board_to_be_repaired_or_that_is():
    memory = _flashed(("a", _OLD), damaged=("/a/phantom/device.mpy",))
    stages = (
        ("ready", (_SAFE, _NEW)),  # whole, it is run, asked for or not: nothing else is there
        ("trial", (_NEW, _NEW + _ON_TRIAL)),
    )
    stages += _TO_THE_NEW[2:]
    _sweep("repair in safe mode", memory, _wants_the_new_version, *stages)


def test_a_cut_anywhere_while_a_board_mends_itself_leaves_one_that_does():
    damaged = (mending.LOADERS[0], "/safe/" + _SAFE_CODE)
    _sweep("mending", _flashed(("a", _OLD), damaged=damaged), _mends_itself, ("end", (_OLD,)))
