"""The loader: which code a board runs, from what is in flash and in RTC memory."""

import sys
import types
import zlib
from pathlib import Path

import pytest

import loader
import phantom
from boards.image import manifest as image_manifest
from phantom import manifest

POWER_ON, HARD, WATCHDOG, SOFT = 1, 2, 3, 5
FILES = {"phantom/device.mpy": b"device" * 300, "phantom/wire/mux.mpy": b"mux"}


def record(**counts):
    return loader.unpack_record(b"") | counts


NO_RECORD = record()


def choose(selector=None, record=NO_RECORD, cause=HARD, versions=None, faults=None, frozen=False):
    return loader.choose(
        selector,
        record,
        cause,
        {"a": "1.0"} if versions is None else versions,
        (faults or {}).get,
        lambda: frozen,
    )


def selector(active="a", trial=None, failed=()):
    return {"active": active, "trial": trial, "failed": list(failed)}


def test_a_new_board_runs_the_slot_that_it_was_flashed_with():
    assert choose() == ("a", None, [])


def test_the_active_slot_goes_before_a_newer_one():
    assert choose(selector("a"), versions={"a": "1.0", "b": "1.1"}) == ("a", None, [])


def test_a_trial_goes_before_the_active_slot():
    assert choose(selector("a", "b"), versions={"a": "1.0", "b": "1.1"}) == ("b", None, [])


@pytest.mark.parametrize("versions", [{"a": "1.10.0", "b": "1.9.9"}, {"a": "2", "b": "1.9"}])
def test_without_a_selector_the_newest_whole_slot_runs(versions):
    assert choose(versions=versions)[0] == "a"
    slot, reason, faults = choose(versions=versions, faults={"a": "x is damaged"})
    assert (slot, reason, faults) == ("b", "damaged-code", ["slot a: x is damaged"])


def test_a_trial_that_did_not_come_up_three_times_is_given_up():
    both = {"a": "1.0", "b": "1.1"}
    assert choose(selector("a", "b"), record(b=2), versions=both)[0] == "b"
    slot, reason, faults = choose(selector("a", "b"), record(b=3), versions=both)
    assert (slot, reason) == ("a", "crash-loop")
    assert faults == ["slot b: it did not come up in 3 attempts"]


def test_a_damaged_trial_is_given_up_at_once():
    both = {"a": "1.0", "b": "1.1"}
    assert choose(selector("a", "b"), versions=both, faults={"b": "x is damaged"})[0] == "a"


def test_the_slot_before_runs_if_the_active_one_crashes_but_not_one_that_failed():
    both = {"a": "1.0", "b": "1.1"}
    assert choose(selector("b"), record(b=3), versions=both)[0] == "a"
    slot, reason, _ = choose(selector("a", failed=["1.1"]), record(a=3), versions=both)
    assert (slot, reason) == ("safe", "crash-loop")


@pytest.mark.parametrize(("cause", "reason"), [(HARD, "crash-loop"), (WATCHDOG, "watchdog")])
def test_code_that_never_comes_up_ends_in_safe_mode(cause, reason):
    assert choose(record=record(a=3), cause=cause)[:2] == ("safe", reason)


def test_damaged_code_ends_in_safe_mode():
    slot, reason, faults = choose(faults={"a": "phantom/rpc.mpy is damaged"})
    assert (slot, reason) == ("safe", "damaged-code")
    assert faults == ["slot a: phantom/rpc.mpy is damaged"]


def test_no_code_at_all_ends_in_safe_mode_unless_the_image_has_it():
    assert choose(versions={}) == ("safe", "damaged-code", ["there is no code in flash"])
    assert choose(versions={}, frozen=True) == ("frozen", None, [])
    assert choose(versions={}, record=record(frozen=3), frozen=True)[:2] == ("safe", "crash-loop")


def test_safe_mode_comes_when_asked_for():
    assert choose(record=record(asked=True)) == ("safe", "asked", [])


def test_what_is_in_rtc_memory_comes_back_and_noise_does_not():
    kept = record(a=1, b=2, asked=True, text="Traceback")
    octets = loader.pack_record(kept)
    assert loader.unpack_record(octets) == kept
    for at in range(len(octets)):
        damaged = bytearray(octets)
        damaged[at] ^= 0x10
        assert loader.unpack_record(bytes(damaged)) == record()
        assert loader.unpack_record(octets[:at]) == record()


def lived(monkeypatch, end, *, counted):
    """How many attempts count after a life, the third, that ended so."""

    def main(_state):
        raise end

    class Reset(Exception):
        pass

    def reset():
        raise Reset

    device, machine = types.SimpleNamespace(main=main), types.SimpleNamespace(reset=reset)
    state = loader.State("a", None, [], None, record(a=3))
    state.counted = counted
    with monkeypatch.context() as patched:
        patched.setattr(loader, "state", state)
        patched.setattr(loader, "_keep", lambda _record: None)
        patched.setattr(loader, "remember", lambda _error: None)
        patched.setattr(sys, "print_exception", lambda _error: None, raising=False)
        patched.setattr("time.sleep_ms", lambda _ms: None, raising=False)
        patched.setattr(phantom, "device", device, raising=False)
        patched.setitem(sys.modules, "phantom.device", device)
        patched.setitem(sys.modules, "machine", machine)
        with pytest.raises((KeyboardInterrupt, Reset)):
            loader.main()
    return state.record["a"]


def test_a_life_that_is_interrupted_at_the_serial_line_is_no_attempt_that_failed(monkeypatch):
    assert lived(monkeypatch, KeyboardInterrupt(), counted=True) == 2
    assert lived(monkeypatch, KeyboardInterrupt(), counted=False) == 3  # after a soft reset
    assert lived(monkeypatch, ValueError("a crash"), counted=True) == 3


def write_slot(folder: Path) -> Path:
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "manifest").write_bytes(
        manifest.sign(image_manifest.write(FILES, "1.2.3", "xtensawin"), b"key")
    )
    return folder


def test_a_whole_slot_has_no_fault(tmp_path):
    slot = str(write_slot(tmp_path))
    assert loader.fault_in(slot) is None
    assert loader.manifest_head(slot) == {"version": "1.2.3", "board": "*", "arch": "xtensawin"}


@pytest.mark.parametrize("name", FILES)
def test_a_file_damaged_at_any_byte_is_a_fault(tmp_path, name):
    slot = write_slot(tmp_path)
    whole = FILES[name]
    for at in range(0, len(whole), 1 if len(whole) < 100 else 97):
        (slot / name).write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert loader.fault_in(str(slot)) == f"{name} is damaged"
    (slot / name).write_bytes(whole[:-1])
    assert loader.fault_in(str(slot)) == f"{name} has another size"
    (slot / name).unlink()
    assert loader.fault_in(str(slot)) == f"{name} is missing"


def test_a_manifest_damaged_at_any_byte_is_a_fault(tmp_path):
    slot = write_slot(tmp_path)
    whole = (slot / "manifest").read_bytes()
    for at in range(len(whole)):
        (slot / "manifest").write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert loader.fault_in(str(slot)) == "its manifest is damaged", at
        (slot / "manifest").write_bytes(whole[:at])
        assert loader.fault_in(str(slot)) == "its manifest is damaged", at
    (slot / "manifest").unlink()
    assert loader.fault_in(str(slot)) == "it has no manifest"


def test_a_manifest_is_what_updates_read_and_sign():
    written = image_manifest.write(FILES, "1.2.3", None, "esp32_generic")
    found = manifest.parse(written)
    assert (found.version, found.board, found.arch) == ("1.2.3", "esp32_generic", "bytecode")
    listed = [(path, size) for _, size, path in found.files]
    assert listed == [(name, len(FILES[name])) for name in sorted(FILES)]
    manifest.verify(manifest.sign(written, b"key"), b"key")
    with pytest.raises(manifest.ManifestError):
        manifest.verify(written, b"key")
    for at in range(len(written)):
        for octets in (written[:at] + bytes([written[at] ^ 1]) + written[at + 1 :], written[:at]):
            with pytest.raises(manifest.ManifestError):
                manifest.parse(octets)


def sealed(text: str) -> bytes:
    line = (text + "\n").encode()
    return line + b"crc32 %08x\n" % zlib.crc32(line)


def test_the_selector_is_read_from_its_first_whole_copy(tmp_path):
    folder = str(tmp_path)
    assert loader.read_selector(folder) is None
    whole = sealed('{"active": "b", "trial": null, "failed": ["1.1"]}')
    (tmp_path / "slot.old").write_bytes(whole)
    expected = {"active": "b", "trial": None, "failed": ["1.1"]}
    assert loader.read_selector(folder) == expected
    for at in range(len(whole) - 1):
        (tmp_path / "slot").write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        assert loader.read_selector(folder) == expected
    (tmp_path / "slot").write_bytes(sealed('{"active": "a", "trial": "b"}'))
    assert loader.read_selector(folder) == {"active": "a", "trial": "b", "failed": []}


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"active": "c", "trial": null}', '{"active": "a", "trial": 1}', "7"]
)
def test_a_selector_that_names_no_slot_is_none(tmp_path, text):
    (tmp_path / "slot").write_bytes(sealed(text))
    assert loader.read_selector(str(tmp_path)) is None
