"""Whether a board gets into its Wi-Fi: it tries, and only then tells why not.

The device itself tries for ever, and then the driver never tells.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tools.flash import mpremote, starting
from tools.flash.faults import UNDERWAY, FlashFault
from tools.flash.starting import Started
from tools.flash.wifi import Wifi

# A board tries three times, and each takes up to some five seconds.
TRY_SECONDS = 25.0
OWN_SECONDS = 20.0  # mpremote's, beside that

# Reasons of the driver: IEEE 802.11 and esp_wifi_types.h. A wrong password shows as any of these.
_REFUSED = {2, 15, 202, 204}
_NOT_IN_SIGHT = {201, 210, 211, 212}


@dataclass(frozen=True)
class Refusal:
    """Why a board was not let in, and what to do. password: whether it is that."""

    fault: str
    remedy: str
    password: bool = False


def refusal(ssid: str, reason: int) -> Refusal:
    """What the driver's `reason` means; 0 is none in time."""
    if reason in _REFUSED:
        return Refusal(f"the Wi-Fi {ssid} refuses the password", "give it again", True)
    if reason in _NOT_IN_SIGHT:
        fault = f"the board sees no Wi-Fi {ssid} (it needs one of 2.4 GHz)"
        return Refusal(fault, "look at its name, or go nearer")
    told = f" (reason {reason})" if reason else " in time"
    return Refusal(f"the Wi-Fi {ssid} does not let the board in{told}", "repeat")


def settings(wifi: Wifi | None, seconds: float) -> dict[str, Any]:
    """What the script on the board is to try, and for how long; nothing for None."""
    return {} if wifi is None else {"try": wifi.as_json(), "try_ms": round(seconds * 1000)}


def script(settings: Mapping[str, Any]) -> str:
    """The script for the board, with its settings."""
    return f"SETTINGS = {json.dumps(settings)!r}\n{mpremote.script('settle')}"


def join(
    port: str, wifi: Wifi, watch_seconds: float, say: Callable[[str], None]
) -> tuple[str, Started]:
    """Have a board that was just flashed try its Wi-Fi: its address there, and its next start.

    Raises FlashFault, once the board runs again.
    """
    say(f"the board tries {wifi.ssid}")
    text = script(settings(wifi, TRY_SECONDS))
    told = mpremote.ask(port, text, TRY_SECONDS + OWN_SECONDS, reset=False)
    started = starting.watch(port, watch_seconds, say, reset=True)
    if told.get("fault"):
        raise FlashFault(f"{port}: {told['fault']} on the board: flash it again", UNDERWAY)
    refused = told.get("refused")
    if refused is not None:
        why = refusal(wifi.ssid, refused)
        command = f"phantom provision --ssid {wifi.ssid}"
        raise FlashFault(
            f"{port}: it is flashed, but {why.fault}: {why.remedy}: {command}", UNDERWAY
        )
    return str(told.get("address")), started
