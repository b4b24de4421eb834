"""Change what a board was told without flashing it: its Wi-Fi, id, name, installation."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from tools.flash import mpremote
from tools.flash.faults import UNDERWAY, FlashFault
from tools.flash.identity import Identity

# A board tries three times, and each takes up to some five seconds.
TRY_SECONDS = 25.0
_OWN_SECONDS = 20.0  # mpremote's, beside that

# Reasons of the driver: IEEE 802.11 and esp_wifi_types.h. A wrong password shows as any of these.
_REFUSED = {2, 15, 202, 204}
_NOT_IN_SIGHT = {201, 210, 211, 212}


@dataclass(frozen=True)
class Settled:
    """What the board has now. address: its own in the Wi-Fi that was tried, None if none was."""

    id: str | None
    name: str | None
    house: str | None
    address: str | None = None

    def text(self, identity: Identity) -> str:
        """For people."""
        parts = [self.name or self.id or "the board"]
        if identity.wifi is not None:
            where = f" at {self.address}" if self.address else ", untried"
            parts.append(f"Wi-Fi {identity.wifi.ssid}{where}")
        parts.append(f"of {self.house}" if self.house else "waits to be adopted")
        return ", ".join(parts)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


def settle(
    port: str,
    identity: Identity,
    new: bool = False,
    try_seconds: float = TRY_SECONDS,
) -> Settled:
    """Write what `identity` says into the board on `port`, and start it again.

    new: forget the installation. try_seconds: how long the board may try the Wi-Fi before
    anything is written; 0 writes untried. Raises FlashFault; the board is then as it was.
    """
    settings: dict[str, Any] = {"device": identity.device(), "try_ms": round(try_seconds * 1000)}
    if new:
        settings["installation"] = {}
    elif identity.installation is not None:
        settings["installation"] = identity.installation
    text = f"SETTINGS = {json.dumps(settings)!r}\n{mpremote.script('settle')}"
    told = mpremote.ask(port, text, try_seconds + _OWN_SECONDS)
    return judge(port, identity, told)


def judge(port: str, identity: Identity, told: dict[str, Any]) -> Settled:
    """What the board's answer means. Raises FlashFault if it has changed nothing."""
    if told.get("fault") == "no firmware":
        raise FlashFault(
            f"{port}: no Phantom on this board: flash it first, by `phantom flash`", UNDERWAY
        )
    if told.get("fault"):
        raise FlashFault(
            f"{port}: the board can't store it ({told['fault']}): flash it again", UNDERWAY
        )
    refused = told.get("refused")
    if refused is not None and identity.wifi is not None:
        raise FlashFault(
            f"{port}: {_why(identity.wifi.ssid, refused)}; nothing was changed", UNDERWAY
        )
    return Settled(told.get("id"), told.get("name"), told.get("house"), told.get("address"))


def _why(ssid: str, reason: int) -> str:
    if reason in _REFUSED:
        return f"the Wi-Fi {ssid} refuses the password: give it again"
    if reason in _NOT_IN_SIGHT:
        return (
            f"the board sees no Wi-Fi {ssid} (it needs one of 2.4 GHz): "
            "look at its name, go nearer, or write it untried by --untried"
        )
    told = f" (reason {reason})" if reason else " in time"
    return f"the Wi-Fi {ssid} does not let the board in{told}: repeat, or write it by --untried"
