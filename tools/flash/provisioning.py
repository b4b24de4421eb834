"""Change what a board was told without flashing it: its Wi-Fi, id, name, installation."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tools.flash import joining, mpremote
from tools.flash.faults import UNDERWAY, FlashFault
from tools.flash.identity import Identity
from tools.flash.joining import TRY_SECONDS


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
        waits = "waits to be adopted (`phantom logs` shows the code once you press its RESET)"
        parts.append(f"of {self.house}" if self.house else waits)
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
    tried = identity.wifi if try_seconds else None
    settings: dict[str, Any] = {
        "device": identity.device(),
        **joining.settings(tried, try_seconds),
    }
    if new:
        settings["installation"] = {}
    elif identity.installation is not None:
        settings["installation"] = identity.installation
    told = mpremote.ask(port, joining.script(settings), try_seconds + joining.OWN_SECONDS)
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
        why = joining.refusal(identity.wifi.ssid, refused)
        untried = "" if why.password else ", or write it by --untried"
        raise FlashFault(
            f"{port}: {why.fault}: {why.remedy}{untried}; nothing was changed", UNDERWAY
        )
    return Settled(told.get("id"), told.get("name"), told.get("house"), told.get("address"))
