"""What was written to this board when it was provisioned, and what it does without.

Nothing in flash may keep a board from coming up: a file that is damaged in both copies, or holds
what can't be, is made up for by defaults, and `faults` says so. Without its facts a board has no
pins to play on, but is still found on the network and can be told them.
"""

from . import config
from .wire import audio

# A device listens there unless it is told otherwise; boards have no two on one address.
_PORT = 4770
_ID_BYTES = 32
_NAME_BYTES = 64
# No DAC: its ring is never filled, but the renderer wants one.
_NO_FACTS = {"name": "unknown", "max_hz": 160000000, "ring_bytes": 16384, "dac": None}
_DAC_NUMBERS = ("sck", "ws", "sd", "ibuf", "delay_us")
_CONTROL_NUMBERS = ("i2c", "scl", "sda", "hz", "address")


def load(identity, folder="", tell=print, spare=None):
    """(facts of the board, what its owner decided, faults); `identity` is the chip's own id.

    The faults are texts for people; tell(text) hears of each at once, for the serial line.
    `spare` is a phantom.spare.Spare: what it has of a lost file is used, and written back.
    """
    faults = []

    def fault(text):
        faults.append(text)
        tell(text)

    board = _loaded(folder + config.BOARD, fault, _check_facts)
    if board is None:
        board = _recalled(spare, "board", folder + config.BOARD, fault, _check_facts)
    if board is not None:
        _settle(board, fault)
    else:
        fault("board.json: nothing can be played until the board is provisioned again")
        board = _NO_FACTS
    device = _loaded(folder + config.DEVICE, fault)
    if device is None:
        if spare is not None:
            spare.device_lost = True
        device = _recalled(spare, "device", folder + config.DEVICE, fault)
    return board, _decisions(device or {}, identity, fault), faults


def _recalled(spare, name, path, fault, check=None):
    """What the copy in NVS has of a lost file, which gets it back; or None."""
    content = spare.of(name) if spare is not None else None
    try:
        if not content:
            return None
        if check is not None:
            check(content)
        fault("config: %s is written again from the copy in NVS" % path)
        config.save(path, content)
    except ValueError:
        return None
    except OSError as error:
        fault("config: %s can't be written again: %s" % (path, error))
    return content


def _loaded(path, fault, check=None):
    """What a file holds; None if no copy of it is usable."""
    try:
        content = config.load(path, fault, check)
    except config.ConfigError as error:
        fault(str(error))
        return None
    try:
        config.keep(path, check)
    except OSError as error:
        fault("config: %s can't be kept in two copies: %s" % (path, error))
    return content


def _check_facts(board):
    if not isinstance(board.get("name"), str):
        raise ValueError("name is not text")
    for name in ("max_hz", "ring_bytes"):
        if not _is_whole(board.get(name)):
            raise ValueError("%s is not a whole number" % name)
    dac = board.get("dac")
    if not isinstance(dac, dict):
        raise ValueError("dac is not an object")
    for name in _DAC_NUMBERS:
        if not _is_whole(dac.get(name)):
            raise ValueError("dac.%s is not a whole number" % name)
    if dac.get("channels", 2) not in (1, 2):
        raise ValueError("dac.channels is neither 1 nor 2")


def _settle(board, fault):
    """Do without facts that a board can play without, where they can't be."""
    wrong = []
    if board.get("codec") not in (None,) + tuple(audio.CODECS):
        wrong.append((board, "codec", "the house chooses"))
    if not _is_whole(board.get("lead_ms", 0)):
        wrong.append((board, "lead_ms", "the house chooses"))
    dac = board["dac"]
    if "control" in dac and not _is_control(dac["control"]):
        wrong.append((dac, "control", "its codec or amplifier is not set up"))
    for facts, key, instead in wrong:
        fault("board.json: %s can't be %r; %s" % (key, facts.pop(key), instead))


def _is_control(control):
    if not isinstance(control, dict):
        return False
    driver = control.get("driver")
    # The name of a module: of ours, and nobody's path.
    if not _is_text(driver, 32) or not all(c.isdigit() or "a" <= c <= "z" for c in driver):
        return False
    gain = control.get("gain_db10", 0)
    return (
        all(_is_whole(control.get(name)) for name in _CONTROL_NUMBERS)
        and _is_whole(control.get("enable", 0))
        and isinstance(gain, int)
        and _is_whole(-gain)
    )


def _decisions(device, identity, fault):
    """The owner's decisions, each checked, with a default in place of what is wrong."""
    decided = {"id": identity, "name": None, "port": _PORT, "wifi": {}}
    checks = {
        "id": lambda value: _is_text(value, _ID_BYTES),
        "name": lambda value: _is_text(value, _NAME_BYTES),
        "port": lambda value: _is_whole(value) and value <= 65535,
        "wifi": lambda value: isinstance(value, dict),
    }
    for key in sorted(decided):
        if key in device:
            if checks[key](device[key]):
                decided[key] = device[key]
            else:
                fault("device.json: %s can't be %r; the default is used" % (key, device[key]))
    if decided["name"] is None:
        decided["name"] = decided["id"]
    return decided


def _is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 0x3FFFFFFF


def _is_text(value, limit):
    return isinstance(value, str) and 0 < len(value.encode()) <= limit
