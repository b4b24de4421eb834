"""How long a device has to answer each method: one table, with the reasons.

A call that gets no answer fails with TIMED_OUT; the link itself is given up after three seconds
without a byte. Where a caller has its own reason to be impatient (`identify`), it says so.
"""

from __future__ import annotations

# A round trip and a board's loop, behind at most 16 KB of audio that is under way already, and
# once again for a segment that was lost: TCP takes up to a second over that.
DEFAULT_S = 2.0

TIMEOUTS_S = {
    # A receiver may have to make room first: an ESP32 erases flash in up to 0.4 s a 64 KB block.
    "transfer.begin": 15.0,
    # It has been read by then; a receiver may check it, and write what is left.
    "transfer.end": 10.0,
    # The board writes its flash before it answers, some sectors of 80 ms, and the music of nobody
    # waits for it.
    "adoption.adopt": 5.0,
    # Likewise, a selector in two copies.
    "update.apply": 5.0,
    "update.reject": 5.0,
    # A page of entries is merged one by one, on a board of 240 MHz.
    "topology.put": 4.0,
}


def timeout_s(method: str) -> float:
    """The time of a method, in seconds."""
    return TIMEOUTS_S.get(method, DEFAULT_S)
