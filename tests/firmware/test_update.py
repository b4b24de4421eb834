"""An update of a board: only the whole of what the house has signed ever becomes its code."""

import os
import sys

from phantom import VERSION, manifest, storage
from phantom.rpc import REFUSED, RpcError
from phantom.updates import PROOF_MS, TRIAL_MS, own_arch
from phantom.wire import bulk
from tests.firmware.updating import (
    KEY,
    NEW,
    OLD,
    Board,
    Boot,
    flash,
    get,
    make_folder,
    put,
    selector,
    text_of,
)
from tests.portable import raises

PORTABLE = True


def _board(boot=None):
    root = "/tmp/phantom-update-" + "".join(["%02x" % octet for octet in os.urandom(6)])
    make_folder(root)
    flash(root)
    return Board(root, boot)


def _clean(board):
    folders = [board.root]
    for folder in folders:
        for name in os.listdir(folder):
            path = folder + "/" + name
            if os.stat(path)[0] & 0x4000:
                folders.append(path)
            else:
                os.remove(path)
    for folder in reversed(folders):
        os.rmdir(folder)


def _refusal(ask, *args, **keywords):
    with raises(RpcError) as caught:
        ask(*args, **keywords)
    assert caught.value.code == REFUSED
    return caught.value.message


def _slot(board, slot, files):
    return [get("%s/%s/%s" % (board.root, slot, name)) for name in sorted(files)]


def _until(board, state, chores=200):
    for _ in range(chores):
        if board.state["state"] == state:
            return
        board.chore()
    raise AssertionError("never %s: %s" % (state, board.state))


def test_an_update_is_written_beside_what_runs_and_begun_when_told():
    board = _board()
    flash(board.root, "b", {"phantom/old.mpy": b"of an older version"})
    assert board.send(NEW) == ["phantom/device.mpy"]  # the others are here, or empty
    _until(board, "ready")
    assert _slot(board, "b", NEW) == [NEW[name] for name in sorted(NEW)]
    assert _slot(board, "a", OLD) == [OLD[name] for name in sorted(OLD)]
    assert get(board.root + "/b/phantom/old.mpy") is None
    manifest.verify(get(board.root + "/b/manifest"), KEY)
    assert board.restarts == 0
    board.ask("update.apply")
    assert selector(board.root) == {"active": "a", "trial": "b", "failed": []}
    assert board.boot.forgiven == ["b"]
    board.chore(10)
    assert board.restarts > 0
    _clean(board)


def test_writing_tells_how_much_is_in_flash_copies_of_what_did_not_change_included():
    board = _board()
    board.send(NEW)
    writing = board.updates._update
    while writing.written < 150 + 4096:  # all of it would be done in one chore
        writing.step()
    board.updates._count()
    of = sum([len(octets) for octets in NEW.values()])
    assert board.state["state"] == "writing"
    assert (board.state["done"], board.state["of"]) == (writing.written, of)
    while not writing.done:
        writing.step()
    assert writing.written == of
    _clean(board)


def test_flash_is_not_written_while_it_plays_and_no_more_is_let_in_than_memory_holds():
    board = _board()
    files = {"phantom/big.mpy": bytes(40000)}
    board.send_manifest(text_of(files))
    board.updates._update._stage = bytearray(8192)  # a small board
    board.playing = True
    data = files["phantom/big.mpy"]
    board.ask("transfer.begin", id=7, size=len(data), purpose="update")
    for at in range(0, len(data), bulk.DATA_BYTES):
        piece = bulk.header(7, at) + data[at : at + bulk.DATA_BYTES]
        while board.bulk.room() < len(piece):
            if board.playing:
                board.chore(300)  # 15 s: longer than an upload may be forgotten
                assert board.state["state"] == "waiting"
                assert get(board.root + "/b/phantom/big.mpy") is None
                board.playing = False
            board.chore()
        board.bulk.frame(board, len(piece))
        board.bulk.piece(board, piece, 0, len(piece), board.now_ms)
    board.ask("transfer.end", id=7)
    _until(board, "ready")
    assert get(board.root + "/b/phantom/big.mpy") == data
    board.playing = True
    assert "wait for the music" in _refusal(board.ask, "update.apply")
    _clean(board)


def test_amid_music_the_last_bytes_are_told_of_too_whatever_came_before():
    for rest in (1, 300, 3000):
        board = _board()
        data = bytes(20000)
        board.send_manifest(text_of({"phantom/big.mpy": data}))
        board.playing = True
        update = board.updates._update
        for part in (data[rest:], data[:rest]):
            update.take(part)
            board.chore()
        assert board.state["state"] == "waiting", rest
        assert board.state["done"] == board.state["of"] == len(data), rest
        _clean(board)


def test_what_the_house_has_not_signed_for_this_very_occasion_is_refused_before_all_else():
    board = _board()
    flash(board.root, "b", NEW, "0.0.9")
    signed = manifest.sign(text_of(NEW), KEY, board.ask("update.begin")["nonce"])
    for text in (
        text_of(NEW),  # as a flasher writes it
        manifest.sign(text_of(NEW), bytes(32), board.ask("update.begin")["nonce"]),
        signed.replace(b"version 0.2.0", b"version 0.3.0"),
        signed[:-40],
        b"",
        b"phantom-manifest 1\n",
        os.urandom(500),
    ):
        board.ask("update.begin")
        assert "not to be trusted" in _refusal(board.upload, text, "manifest")
    board.ask("update.begin")
    # Signed by the house, once: whoever has recorded it can't send it again.
    assert "another occasion" in _refusal(board.upload, signed, "manifest")
    assert "begin an update first" in _refusal(board.upload, signed, "manifest")
    assert "no manifest" in _refusal(board.ask, "update.wanted")
    assert "no manifest" in _refusal(board.upload, b"x", "update")
    assert "no update is ready" in _refusal(board.ask, "update.apply")
    assert _slot(board, "b", NEW) == [NEW[name] for name in sorted(NEW)]  # untouched
    _clean(board)


def test_an_update_has_to_fit_the_board():
    board = _board()
    refused = lambda text, **more: _refusal(board.send_manifest, text, **more)  # noqa: E731
    assert "for the board other" in refused(text_of(NEW, board="other"))
    wrong = "xtensawin" if own_arch() != "xtensawin" else "x64"
    assert "code for " + wrong in refused(text_of(NEW, arch=wrong))
    assert "older than " + VERSION in refused(text_of(NEW, "0.0.9"))
    board.send_manifest(text_of(NEW, "0.0.9"), force=True)
    board.send_manifest(text_of(NEW, VERSION))
    board.send_manifest(text_of(NEW, "0.2.0", "testboard", own_arch()))
    _clean(board)


def test_a_version_that_has_failed_here_takes_insisting():
    boot = Boot(selector={"active": "a", "trial": None, "failed": ["0.2.0"]})
    board = _board(boot)
    assert "has failed here before" in _refusal(board.send_manifest, text_of(NEW))
    board.send(NEW, force=True)
    _until(board, "ready")
    board.ask("update.apply")
    assert selector(board.root)["failed"] == []
    _clean(board)


def test_no_path_leads_out_of_the_slot_and_nothing_is_too_large():
    for name in (
        "../a/phantom/device.mpy",
        "phantom/../../a/manifest",
        "/a/phantom/device.mpy",
        "phantom//device.mpy",
        "phantom/./device.mpy",
        "phantom/",
        "phantom",
        "manifest",
        "boot.py",
        "phantom/de vice.mpy",
        "phantom/d\u00e9vice.mpy",
        "phantom/" + "x" * 80,
    ):
        with raises(manifest.ManifestError):
            manifest.parse(text_of({name: b"x"}))
    line = "file " + "0" * 64 + " %s phantom/x.mpy"
    for extra in (
        [line % 300000],
        [line % -1],
        [line % "many"],
        ["file zz 1 phantom/x.mpy"],
        ["file " + "0" * 62 + " 1 phantom/x.mpy"],
        ["file"],
        [line % 1, line % 1],
        ["version 0.3.0"],
        ["colour blue"],
        ["nonce "],
        [line % 1, "nonce 12"],
        ["file " + "0" * 64 + " 262144 phantom/%d.mpy" % n for n in range(5)],
        ["file " + "0" * 64 + " 1 phantom/%d.mpy" % n for n in range(130)],
    ):
        with raises(manifest.ManifestError):
            manifest.parse(text_of(NEW, extra=extra))
    with raises(manifest.ManifestError):
        manifest.parse(text_of({}))
    board = _board()
    board.ask("update.begin")
    assert "at most 16384" in _refusal(board.upload, bytes(20000), "manifest")
    _clean(board)


def test_bytes_that_are_damaged_cut_short_or_too_many_leave_a_slot_that_no_loader_begins():
    board = _board()
    for spoil in ("flip", "short", "early"):
        board.send_manifest(text_of(NEW))
        data = NEW["phantom/device.mpy"]
        if spoil == "flip":
            board.upload(b"X" + data[1:], "update")
        elif spoil == "short":
            assert "are missing here" in _refusal(board.upload, data[:-1], "update")
            assert "are missing here" in _refusal(board.upload, data + b"x", "update")
            continue
        else:
            board.ask("transfer.begin", id=7, size=len(data), purpose="update")
            board.uploads.lost(board)
            assert board.bulk is None
        _until(board, "failed")
        told = {"flip": "device.mpy came damaged", "early": "ended early"}[spoil]
        assert told in board.state["reason"]
        assert get(board.root + "/b/manifest") is None
        assert "no update is ready" in _refusal(board.ask, "update.apply")
    board.send(NEW)  # and the next one is like any other
    _until(board, "ready")
    _clean(board)


def _watched(board, opened):
    # A board that has opened its first file, of which nothing has come.
    board.send_manifest(text_of(NEW))
    sys.modules["phantom.update"].open = opened
    size = len(NEW["phantom/device.mpy"])
    board.ask("transfer.begin", id=7, size=size, purpose="update")


def test_a_file_half_written_is_closed_in_silence_once_its_update_is_given_up():
    for how in ("lost", "cancelled", "begun anew"):
        board = _board()
        files = []

        def opened(path, mode, files=files):
            files.append(open(path, mode))  # noqa: SIM115 (who asked for it closes it)
            return files[-1]

        _watched(board, opened)
        board.chore(9)
        file = files[-1]
        board.playing = True
        if how == "cancelled":
            board.ask("update.cancel")
        else:
            board.uploads.lost(board)
        board.chore(2)
        if how == "begun anew":
            board.send_manifest(text_of(NEW))
            board.chore(2)
        file.write(b"x")  # closing it would write flash
        board.playing = False
        board.chore()
        with raises(ValueError):
            file.write(b"x")
        _clean(board)


def test_an_update_that_runs_out_of_memory_is_not_taken_for_whole():
    board = _board()

    def opened(path, mode):
        raise MemoryError

    _watched(board, opened)
    board.chore(9)
    assert board.state["state"] == "failed"
    assert "no memory" in board.state["reason"]
    assert "no update is ready" in _refusal(board.ask, "update.apply")
    _clean(board)


def test_a_flash_without_room_is_told_before_anything_is_deleted():
    board = _board()
    flash(board.root, "b", OLD, "0.0.9")
    # Two sectors; and what MicroPython makes of a flash that littlefs counts as fuller than full.
    for sectors in (2, (1 << 32) - 5):

        class Full:
            statvfs = staticmethod(lambda _: (4096, 4096, 100, sectors, sectors))  # noqa: B023

        storage.os, kept = Full, storage.os
        try:
            assert "KB free" in _refusal(board.send_manifest, text_of(NEW))
        finally:
            storage.os = kept
    assert get(board.root + "/b/manifest") is not None
    board.send_manifest(text_of(NEW))
    _clean(board)


def test_amid_music_the_flash_is_not_looked_through_and_the_music_goes_on():
    board = _board()
    looked = []

    def full(self):
        looked.append(board.playing)
        raise RpcError(REFUSED, "the flash has 8 KB free")

    def send():
        nonce = board.ask("update.begin")["nonce"]
        from phantom import update  # which is let go of with each update

        update.Update.check_room = full
        board.upload(manifest.sign(text_of(NEW), KEY, nonce), "manifest")

    breaths = []
    board.uploads.breathe = lambda: breaths.append(board.playing)
    board.playing = True
    send()
    # Before each import and collection, and at each line of the manifest.
    assert len(breaths) > len(NEW) + 5
    board.chore(20)
    assert looked == []
    board.playing = False
    _until(board, "failed")
    assert "8 KB free" in board.state["reason"]
    assert "8 KB free" in _refusal(send)
    assert "begin an update first" in _refusal(board.ask, "update.wanted")
    assert looked == [False, False]
    _clean(board)


def _on_trial():
    board = _board(Boot("b", True, None, {"active": "a", "trial": "b", "failed": []}))
    flash(board.root, "b", NEW, VERSION)
    return board


def test_a_trial_is_confirmed_by_playing_in_time_and_written_down_in_silence():
    board = _on_trial()
    assert board.state["state"] == "trial"
    assert "yet to prove" in _refusal(board.ask, "update.begin")
    board.playing = True
    half = PROOF_MS // 50 // 2
    for fare in ((True, 0, 5000), (False, 0, 0)):  # too late, or no sound
        board.fare = fare
        board.chore(2 * half + 3)
    board.fare = (True, 0, -300)
    board.chore(half)
    board.fare = (True, 1, -300)  # a gap: from the start
    board.chore(half + 2)
    assert board.state["state"] == "trial"
    board.chore(half + 2)
    assert board.state["state"] == "proven"
    assert get(board.root + "/slot") is None
    board.playing = False
    board.chore()
    assert board.state["state"] == "confirmed"
    assert selector(board.root) == {"active": "b", "trial": None, "failed": []}
    assert board.boot.was_steady
    assert board.ask("update.begin")["slot"] == "b"
    _clean(board)


def test_a_trial_that_never_plays_starts_anew_until_the_loader_gives_it_up():
    board = _on_trial()
    board.chore(TRIAL_MS // 50 - 1)
    assert board.restarts == 0
    board.chore(3)
    assert board.restarts > 0
    _clean(board)


def test_a_trial_that_was_given_up_is_remembered_with_its_reason():
    boot = Boot("a", False, "b", {"active": "a", "trial": "b", "failed": []})
    boot.faults = ["slot b: it did not come up in 3 attempts"]
    boot.record = {"text": 'Traceback:\n  File "x"\nValueError: broken on purpose\n'}
    board = _board(boot)
    flash(board.root, "b", NEW, "0.2.0")
    board.chore()
    assert board.state["state"] == "rolled-back"
    assert board.state["version"] == "0.2.0"
    for told in ("did not come up in 3 attempts", "broken on purpose"):
        assert told in board.state["reason"]
    assert selector(board.root) == {"active": "a", "trial": None, "failed": ["0.2.0"]}
    assert board.properties.get("update.failed") == ["0.2.0"]
    _clean(board)


def test_a_trial_that_the_box_rejects_goes_back_at_once():
    board = _on_trial()
    board.ask("update.reject", reason="answers but plays nothing")
    assert selector(board.root) == {"active": "a", "trial": None, "failed": [VERSION]}
    board.chore(10)
    assert board.restarts > 0
    _clean(board)
    board = _board()
    assert "nothing is on trial" in _refusal(board.ask, "update.reject")
    _clean(board)


def test_safe_mode_repairs_the_slot_that_was_not_to_be_run():
    boot = Boot("safe", False, None, {"active": "b", "trial": None, "failed": []}, "damaged-code")
    board = _board(boot)
    put(board.root + "/a/phantom/device.mpy", b"damaged")
    assert board.send(NEW) == ["phantom/device.mpy", "phantom/wire/mux.mpy"]
    _until(board, "ready")
    board.ask("update.apply")
    assert selector(board.root)["trial"] == "a"
    _clean(board)


def test_a_board_whose_code_is_in_its_image_says_what_to_do():
    board = _board(Boot("frozen"))
    assert "phantom flash" in _refusal(board.ask, "update.begin")
    _clean(board)
