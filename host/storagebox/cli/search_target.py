"""Which server a command about searches speaks to, as which application, by which key."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import typer

from .app import FAILED, default_state, fail
from .ask import ask
from .search_client import SearchClient, SearchFault

URL: Final = "http://127.0.0.1:7700"
APPLICATION: Final = "phantom"
_KEY_VARIABLE: Final = "PHANTOM_SEARCH_KEY"
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")

Url = Annotated[str, typer.Option("--url", help="The server.", envvar="PHANTOM_SEARCH_URL")]
ApplicationId = Annotated[
    str, typer.Option("--app", help="The application.", envvar="PHANTOM_SEARCH_APP")
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        help="A file with the key.", show_default=f"${_KEY_VARIABLE}, or this machine's own"
    ),
]
Folder = Annotated[
    Path | None,
    typer.Option(
        "--folder",
        help="Where applications are kept on this machine.",
        show_default="~/.local/state/phantom/search",
    ),
]
Library = Annotated[bool, typer.Option("--library", help="The index of the box's music instead.")]


def client(
    url: str,
    application: str,
    key_file: Path | None,
    folder: Path | None,
    *,
    library: bool = False,
) -> SearchClient:
    """The server, or the end of this command.

    A server on this machine needs no key: whoever may read its folder has the admin key.
    """
    if library:
        told = ask(None, None, "library")
        if not told["key"]:
            fail(f"the library can't be searched: {told['trouble']}", FAILED)
        return SearchClient(Path(told["socket"]), told["application"], told["key"])
    key = _given(key_file) or _own(url, application, folder)
    if not key:
        fail(f"no key for {application} at {url}: give it by --key-file or {_KEY_VARIABLE}")
    try:
        return SearchClient(url, application, key)
    except SearchFault as fault:
        fail(str(fault))


def _given(key_file: Path | None) -> str:
    if key_file is None:
        return os.environ.get(_KEY_VARIABLE, "").strip()
    try:
        key = key_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as fault:
        fail(f"{key_file}: {fault}")
    if not key:
        fail(f"{key_file}: it is empty: write the key into it")
    return key


def _own(url: str, application: str, folder: Path | None) -> str:
    from storagebox.search.writes import catalog, durable
    from storagebox.search.writes.accepting import Limits

    try:
        if urlsplit(url).hostname not in _LOOPBACK:
            return ""
        kept = (folder or default_state() / "search") / application
        found = catalog.load(kept, Limits().keys)
    except (OSError, ValueError, durable.DamagedFileError):
        return ""
    return found[0].admin_key if found is not None else ""
