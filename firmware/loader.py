"""Chooses the code that a board runs, and never gives up: docs/update.md has the whole of it.

It stands alone, twice, as /loader.mpy and /loader2.mpy, because whatever it would import may be
what is damaged. `boot` decides and sets sys.path; `main` runs what was chosen. The decision is
`choose`, of facts alone.

    /a, /b     slots of code, each with a manifest of SHA-256 sums
    /safe      the little that safe mode needs
    /slot      the selector: {"active": "a", "trial": null or "b", "failed": [versions]}

How often a slot was begun is counted in RTC memory, which a reset leaves and a power cut does not.
"""

import gc
import json
import os
import sys
from binascii import crc32, hexlify

SLOTS = ("a", "b")
FROZEN = "frozen"  # in the image, where a chip without PSRAM has its code
SAFE = "safe"
SELECTOR = "/slot"
MANIFEST = "/manifest"
MANIFEST_MAGIC = "phantom-manifest 1"

# A slot that ended so often without being steady is not begun again.
MAX_ATTEMPTS = 3

# Why a board is in safe mode.
DAMAGED = "damaged-code"
CRASHES = "crash-loop"
WATCHDOG = "watchdog"
ASKED = "asked"

# Nothing a device does takes so long at a time, and a minute of silence would be noticed.
WATCHDOG_MS = 10000

_PIECE = 512
_MAX_SELECTOR_BYTES = 1024
_RECORD = b"PHb1"  # begins what is kept in RTC memory
_POWER_ON = 1  # machine.PWRON_RESET; then WDT_RESET and SOFT_RESET
_WATCHDOG_RESET = 3
_SOFT_RESET = 5
_TEXT_CHARS = 400  # of a traceback, in RTC memory

state = None  # of this life, once `boot` has run
_timer = None  # feeds the watchdog while nobody runs the device


class State:
    """What the loader chose, and why.

    slot: "a", "b", "frozen" or "safe". reason: why it is that and not the first choice, or None.
    faults: texts for people. selector: as read, or None. trial: whether the slot has yet to prove
    itself. given_up: the slot of an update that did not, or None: the selector still names it.
    frozen: whether its code is in the image, with none in flash that could be replaced. record:
    what RTC memory holds.
    """

    def __init__(self, slot, reason, faults, selector, record):
        trial = selector["trial"] if selector else None
        self.slot = slot
        self.reason = reason
        self.faults = faults
        self.selector = selector
        self.trial = trial is not None and slot == trial
        self.given_up = trial if slot != trial else None
        self.frozen = slot == FROZEN
        self.record = record
        self.counted = False  # whether this life is among the attempts

    def steady(self):
        """The slot has come up: what came before no longer counts against it."""
        if self.record.get(self.slot):
            self.record[self.slot] = 0
            _keep(self.record)

    def interrupted(self):
        """Somebody at the serial line ended this life, which says nothing of the code."""
        if self.counted and self.record[self.slot]:
            self.counted = False
            self.record[self.slot] -= 1
            _keep(self.record)

    def forgive(self, slot):
        """A slot's attempts no longer count: it holds other code now, or has proved itself."""
        self.record[slot] = 0
        _keep(self.record)

    def try_again(self):
        """Whatever was begun too often may be begun again: somebody wants it to be tried."""
        for slot in SLOTS + (FROZEN,):
            self.record[slot] = 0
        _keep(self.record)

    def watch(self):
        """Start the chip's watchdog, which nothing can stop; the function that feeds it."""
        feed = _watchdog()
        _relieve()
        self.record["watched"] = True
        _keep(self.record)
        return feed

    def ask_for_safe_mode(self):
        """Safe mode at the next reset, once."""
        self.record["asked"] = True
        _keep(self.record)


# Facts


def read_selector(folder=""):
    """The selector, or None if no copy of it is whole."""
    for copy in ("", ".new", ".old"):
        try:
            path = folder + SELECTOR + copy
            if os.stat(path)[6] > _MAX_SELECTOR_BYTES:
                continue
            with open(path, "rb") as f:
                octets = f.read(_MAX_SELECTOR_BYTES)
            at = octets.rstrip().rfind(b"\n") + 1
            if octets[at:].strip() != b"crc32 %08x" % crc32(octets[:at]):
                continue
            found = json.loads(octets[:at])
            if found["active"] not in SLOTS or found["trial"] not in SLOTS + (None,):
                continue
            return {
                "active": found["active"],
                "trial": found["trial"] if found["trial"] != found["active"] else None,
                "failed": [v for v in found.get("failed", ()) if isinstance(v, str)],
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass
    return None


def manifest_head(folder):
    """{"version", "board", "arch"} of a slot's manifest; None if there is none to read."""
    head = {}
    try:
        with open(folder + MANIFEST) as f:
            if f.readline().strip() != MANIFEST_MAGIC:
                return None
            for line in f:
                key, _, value = line.strip().partition(" ")
                if key == "file":
                    break
                head[key] = value
    except (OSError, ValueError):
        return None
    return head if "version" in head else None


def fault_in(folder):
    """What is wrong with a slot's files, as a text; None if each is what its manifest says."""
    import hashlib

    buffer = memoryview(bytearray(_PIECE))
    seal = 0
    last = b""
    try:
        with open(folder + MANIFEST, "rb") as f:
            for line in f:
                seal = crc32(last, seal)
                last = line
        if last != b"crc32 %08x\n" % seal:
            return "its manifest is damaged"
        with open(folder + MANIFEST, "rb") as f:
            if f.readline().strip().decode() != MANIFEST_MAGIC:
                return "its manifest is damaged"
            for line in f:
                words = line.decode().strip().split(" ", 3)
                if words[0] == "file":
                    _, digest, size, name = words
                    fault = _fault_of(folder + "/" + name, digest, int(size), hashlib, buffer)
                    if fault:
                        return "%s %s" % (name, fault)
    except OSError:
        return "it has no manifest"
    except ValueError:
        return "its manifest is damaged"
    return None


def _fault_of(path, digest, size, hashlib, buffer):
    try:
        if os.stat(path)[6] != size:
            return "has another size"
        hashed = hashlib.sha256()
        with open(path, "rb") as f:
            while True:
                got = f.readinto(buffer)
                if not got:
                    break
                hashed.update(buffer[:got])
    except OSError:
        return "is missing"
    return None if hexlify(hashed.digest()).decode() == digest else "is damaged"


def _numbers(version):
    return [int(part) if part.isdigit() else 0 for part in version.split(".")]


# RTC memory: magic, crc32 of the rest, counts of a, b and frozen, flags, then a traceback's end


def unpack_record(octets):
    """{"a", "b", "frozen": attempts, "asked": safe mode wanted, "watched": the watchdog runs,
    "text": of a crash} of RTC memory."""
    record = {"a": 0, "b": 0, FROZEN: 0, "asked": False, "watched": False, "text": ""}
    seal = int.from_bytes(octets[4:8], "little")
    if octets[:4] == _RECORD and len(octets) >= 12 and crc32(octets[8:]) == seal:
        record["a"], record["b"], record[FROZEN] = octets[8], octets[9], octets[10]
        record["asked"] = bool(octets[11] & 1)
        record["watched"] = bool(octets[11] & 2)
        record["text"] = octets[12:].decode()
    return record


def pack_record(record):
    """RTC memory for a record."""
    flags = int(record["asked"]) | int(record["watched"]) << 1
    counts = [min(record[slot], 255) for slot in ("a", "b", FROZEN)]
    rest = bytes(counts + [flags]) + record["text"].encode()
    return _RECORD + crc32(rest).to_bytes(4, "little") + rest


# The decision


def choose(selector, record, cause, versions, fault_of, has_frozen):
    """(slot, reason, faults): of a slot that is not the first choice, and of safe mode, why.

    selector: as `read_selector` gives it, or None. record: attempts. cause: of the reset.
    versions: of the slots that have a manifest. fault_of(slot) is a text, or None for a whole
    slot; has_frozen() says whether the image has the firmware in it. Both take their time, and
    are asked only if need be.
    """
    if record["asked"]:
        return SAFE, ASKED, []
    order = []
    failed = ()
    if selector is not None:
        order += [slot for slot in (selector["trial"], selector["active"]) if slot is not None]
        failed = selector["failed"]
    spare = [slot for slot in versions if slot not in order and versions[slot] not in failed]
    order += sorted(spare, key=lambda slot: _numbers(versions[slot]), reverse=True)
    faults = []
    reason = None
    crashes = WATCHDOG if cause == _WATCHDOG_RESET else CRASHES
    for slot in order:
        if record[slot] >= MAX_ATTEMPTS:
            reason = crashes
            fault = "it did not come up in %d attempts" % record[slot]
        else:
            fault = fault_of(slot)
            if fault is None:
                return slot, reason, faults
            reason = reason or DAMAGED
        faults.append("slot %s: %s" % (slot, fault))
    if has_frozen():
        if record[FROZEN] < MAX_ATTEMPTS:
            return FROZEN, reason, faults
        reason = crashes
        faults.append("the image's code did not come up in %d attempts" % record[FROZEN])
    return SAFE, reason or DAMAGED, faults or ["there is no code in flash"]


def safe_folder(versions, fault_of):
    """Where the code of safe mode is: /safe, or a slot that is whole, or what is left."""
    for name in ("safe",) + tuple(sorted(versions)):
        if fault_of(name) is None:
            return "/" + name
    return "/safe"


# A life


def boot(root=""):
    """Choose, tell the serial line, set sys.path; `main` runs it. Raises nothing that is known.

    root: where the flash is mounted, if not at /.
    """
    global state
    import machine

    gc.threshold(16 * 1024)  # a backstop; the firmware collects at moments of its own choosing
    cause = machine.reset_cause()
    record = unpack_record(b"" if cause == _POWER_ON else machine.RTC().memory())
    soft = cause == _SOFT_RESET
    selector = read_selector(root)
    versions = {}
    for slot in SLOTS:
        head = manifest_head(root + "/" + slot)
        if head is not None:
            versions[slot] = head["version"]

    def fault_of(slot):
        # After a soft reset, as mpremote makes many of, the files are what they were.
        return None if soft and slot in versions else fault_in(root + "/" + slot)

    if soft and record["watched"]:
        _feed_meanwhile()
    record["watched"] = soft and record["watched"]

    slot, reason, faults = choose(selector, record, cause, versions, fault_of, _has_frozen)
    state = State(slot, reason, faults, selector, record)
    if slot == SAFE and not versions:
        state.frozen = _has_frozen()
    for fault in faults:
        print("loader:", fault)
    if slot == SAFE:
        print("loader: safe mode:", reason)
        record["asked"] = False
    elif not soft:
        record[slot] += 1  # pyright: ignore[reportOperatorIssue]
        state.counted = True
    if not soft:
        _keep(record)
    if slot == SAFE and not _has_frozen():
        folder = safe_folder(versions, lambda name: fault_in(root + "/" + name))
        sys.path.insert(0, root + folder)
    elif slot in SLOTS:
        sys.path.insert(0, root + "/" + slot)
    _slim()
    gc.collect()


def main():
    """Run what was chosen; whatever ends it, a board begins again by itself."""
    import machine

    try:
        if state.slot == SAFE:
            from phantom import safe  # pyright: ignore[reportAttributeAccessIssue]

            safe.main(state)
        else:
            from phantom import device

            device.main(state)
    except KeyboardInterrupt:
        state.interrupted()
        if state.record["watched"]:
            _feed_meanwhile()
        raise
    except Exception as error:
        sys.print_exception(error)
        remember(error)
        import time

        # Long enough for whoever reads the serial line, or interrupts here.
        time.sleep_ms(500)
        machine.reset()


def remember(error):
    """Keep the end of a traceback in RTC memory, for whoever asks after the reset."""
    import io

    text = io.BytesIO()
    sys.print_exception(error, text)  # pyright: ignore[reportArgumentType]
    told = text.getvalue().decode()  # pyright: ignore[reportAttributeAccessIssue]
    state.record["text"] = told[-_TEXT_CHARS:]
    _keep(state.record)


def _keep(record):
    import machine

    machine.RTC().memory(pack_record(record))


def _watchdog():
    import machine

    return machine.WDT(timeout=WATCHDOG_MS).feed


def _feed_meanwhile():
    # Somebody has interrupted the device and is at the REPL.
    global _timer
    import machine

    feed = _watchdog()
    _timer = machine.Timer(0)
    _timer.init(period=WATCHDOG_MS // 4, mode=machine.Timer.PERIODIC, callback=lambda _: feed())


def _relieve():
    global _timer
    if _timer is not None:
        _timer.deinit()
        _timer = None


def _has_frozen():
    try:
        import phantom
    except Exception:
        return False
    return bool(phantom)


def _slim():
    # What has been decided needs no code any more. Whoever wants it again imports it anew.
    for name in ("boot", "choose", "fault_in", "_fault_of", "manifest_head", "read_selector"):
        globals().pop(name)
    for name in ("unpack_record", "_numbers", "safe_folder", "_has_frozen", "_slim"):
        globals().pop(name)
