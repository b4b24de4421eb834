"""The Wi-Fi that a board is to join. Its password never stands on a command line.

It comes from a file, from the environment, or from whoever types it.
"""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tools.flash.faults import FlashFault

PASSWORD_VARIABLE = "PHANTOM_WIFI_PASSWORD"
# IEEE 802.11: a name has 1 to 32 bytes, a WPA passphrase 8 to 63 characters, a key 64 hex digits.
_SSID_BYTES = 32
_PASSPHRASE = range(8, 64)
_KEY_DIGITS = 64


@dataclass(frozen=True)
class Wifi:
    """ssid: the network's name. password: empty for an open one; shown to nobody."""

    ssid: str
    password: str = field(repr=False)

    def as_json(self) -> dict[str, str]:
        """As it stands in a board's device.json."""
        return {"ssid": self.ssid, "key": self.password}


def gather(
    ssid: str | None,
    password_file: Path | None,
    ask: Callable[[str], str] = getpass.getpass,
    interactive: bool | None = None,
) -> Wifi | None:
    """The Wi-Fi that options name, with its password from wherever there is one.

    None if no `ssid` is given. Raises FlashFault.
    """
    if ssid is None:
        if password_file is not None:
            raise FlashFault("--wifi-password-file without --ssid: name the network as well")
        return None
    if not 0 < len(ssid.encode()) <= _SSID_BYTES:
        raise FlashFault(f"--ssid {ssid!r}: a network's name has 1 to {_SSID_BYTES} bytes")
    password = _password(ssid, password_file, ask, interactive)
    if not _possible(password):
        raise FlashFault(
            f"the Wi-Fi password has {len(password)} characters: WPA wants 8 to 63, or 64 "
            "hexadecimal digits; an open network has none"
        )
    return Wifi(ssid, password)


def _password(
    ssid: str, file: Path | None, ask: Callable[[str], str], interactive: bool | None
) -> str:
    if file is not None:
        try:
            text = sys.stdin.readline() if str(file) == "-" else file.read_text(encoding="utf-8")
        except OSError as fault:
            raise FlashFault(f"{file}: {fault.strerror}: give another file") from None
        except UnicodeDecodeError:
            raise FlashFault(f"{file}: not text: it holds the password and nothing else") from None
        return text.rstrip("\r\n")
    if PASSWORD_VARIABLE in os.environ:
        return os.environ[PASSWORD_VARIABLE]
    if sys.stdin.isatty() if interactive is None else interactive:
        return ask(f"Password of the Wi-Fi {ssid} (none if it is open): ")
    raise FlashFault(
        f"the password of the Wi-Fi {ssid} is missing: --wifi-password-file FILE (- for standard "
        f"input), or {PASSWORD_VARIABLE} in the environment"
    )


def _possible(password: str) -> bool:
    if len(password) == _KEY_DIGITS:
        return all(digit in "0123456789abcdefABCDEF" for digit in password)
    return not password or (len(password) in _PASSPHRASE and password.isprintable())
