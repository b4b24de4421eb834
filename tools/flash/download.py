"""A MicroPython image from the network: only with its digest, and once.

Kept in the cache folder by that digest, so that flashing the next board needs no network.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tools.flash.faults import UNDERWAY, FlashFault

_TIMEOUT_SECONDS = 30.0
_PIECE = 64 * 1024
# Images are some 2 MB; what is ten times as long is something else.
MAX_BYTES = 32 * 1024 * 1024

_DIGEST = re.compile(r"[0-9a-f]{64}")


def is_url(text: str) -> bool:
    """Whether `--firmware` is to be downloaded."""
    return "://" in text


def cache_folder() -> Path:
    """Where downloads are kept."""
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(home).expanduser() / "phantom" / "firmware"


def checked(path: Path, sha256: str | None) -> Path:
    """The file itself, once it has the digest that was given, if one was."""
    if sha256 is not None:
        _check_digest(sha256)
        try:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as fault:
            raise FlashFault(f"{path}: {fault.strerror}: give another --firmware") from None
        if found != sha256.lower():
            raise FlashFault(_mismatch(str(path), found, sha256))
    return path


def fetch(url: str, sha256: str | None, say: Callable[[float], None] | None = None) -> Path:
    """The file at `url`, which must have this digest. say(fraction) hears how far it has come.

    Raises FlashFault.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise FlashFault(f"{url}: only http and https are understood: or give a file")
    if sha256 is None:
        raise FlashFault(
            f"{url}: a download needs its digest: add --sha256 as its publisher states it, "
            "or look at the file yourself and give that"
        )
    _check_digest(sha256)
    target = cache_folder() / sha256.lower() / _name(url)
    if target.exists() and _digest(target) == sha256.lower():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(target.name + ".part")
        found = _download(url, partial, say)
        if found != sha256.lower():
            partial.unlink()
            raise FlashFault(_mismatch(url, found, sha256))
        partial.replace(target)
    except OSError as fault:
        why = f"{target.parent}: {fault.strerror or fault}"
        raise FlashFault(f"{why}: make room, or set XDG_CACHE_HOME to another folder") from None
    return target


def _download(url: str, into: Path, say: Callable[[float], None] | None) -> str:
    """The digest of what has been written. Raises FlashFault for what the network does wrong."""
    # Imported here: it costs every other command a tenth of a second.
    import http.client
    import urllib.error
    import urllib.request

    digest = hashlib.sha256()
    try:
        with (
            urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer,
            into.open("wb") as out,
        ):
            total = int(answer.headers.get("Content-Length") or 0)
            count = 0
            while piece := answer.read(_PIECE):
                count += len(piece)
                if max(count, total) > MAX_BYTES:
                    raise FlashFault(f"{url}: over 32 MB; no MicroPython image is so long")
                digest.update(piece)
                out.write(piece)
                if say is not None and total:
                    say(count / total)
            if count < total:
                raise FlashFault(f"{url}: the connection ended early: repeat", UNDERWAY)
    except urllib.error.HTTPError as fault:
        why = f"the server says {fault.code} {fault.reason}"
        raise FlashFault(f"{url}: {why}: look for the address again", UNDERWAY) from None
    except urllib.error.URLError as fault:
        reason = getattr(fault.reason, "strerror", None) or fault.reason
        raise FlashFault(
            f"{url}: {reason}: is there a network? A file does as well", UNDERWAY
        ) from None
    except (TimeoutError, ConnectionError, http.client.HTTPException) as fault:
        raise FlashFault(f"{url}: {fault or 'no answer'}: repeat", UNDERWAY) from None
    return digest.hexdigest()


def _check_digest(text: str) -> None:
    if not _DIGEST.fullmatch(text.lower()):
        raise FlashFault(f"--sha256 {text}: a SHA-256 digest is 64 hexadecimal digits")


def _mismatch(what: str, found: str, wanted: str) -> str:
    return (
        f"{what}: its SHA-256 is {found}, not {wanted.lower()}: "
        "compare the digest with its publisher's; nothing was written"
    )


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _name(url: str) -> str:
    name = re.sub(r"[^-.\w]", "_", unquote(urlsplit(url).path).rsplit("/", 1)[-1])
    return name.strip(".") or "firmware.bin"
