"""Which server a command about searches speaks to, as which application, by which key."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit

import typer

from . import in_house
from .ask import ask
from .ending import FAILED, fail
from .options import State
from .state_folder import default_state

if TYPE_CHECKING:
    from .search_client import SearchClient

URL: Final = "http://127.0.0.1:7700"
APPLICATION: Final = "phantom"
_KEY_VARIABLE: Final = "PHANTOM_SEARCH_KEY"
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")

Library = Annotated[bool, typer.Option("--library", help="The index of the box's music instead.")]


@dataclass(frozen=True)
class Where:
    """What a command line says of it."""

    url: Annotated[
        str,
        typer.Option(
            help="The server, several with commas, or where they are found: house://search,"
            " consul://AGENT/SERVICE, srv://NAME, dns://NAME:PORT, etcd://HOST:PORT/PREFIX.",
            envvar="PHANTOM_SEARCH_URL",
        ),
    ] = URL
    app: Annotated[str, typer.Option(help="The application.", envvar="PHANTOM_SEARCH_APP")] = (
        APPLICATION
    )
    key_file: Annotated[
        Path | None,
        typer.Option(
            help="A file with the key.", show_default=f"${_KEY_VARIABLE}, or this machine's own"
        ),
    ] = None
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Where applications are kept on this machine.",
            show_default="~/.local/state/phantom/search",
        ),
    ] = None
    state: State = None

    def client(self, *, library: bool = False) -> SearchClient:
        """The server, or the end of this command.

        A server on this machine needs no key: whoever may read its folder has the admin key.
        """
        from .search_client import SearchClient, SearchFault

        if library:
            told = ask(None, self.state, "library")
            if not told["key"]:
                fail(f"the library can't be searched: {told['trouble']}", FAILED)
            return SearchClient(Path(told["socket"]), told["application"], told["key"])
        key = _given(self.key_file) or _own(self.url, self.app, self.folder)
        if not key:
            fail(f"no key for {self.app} at {self.url}: give it by --key-file or {_KEY_VARIABLE}")
        try:
            servers = in_house.found(self.url, self.state) or self.url
            return SearchClient(servers, self.app, key)
        except SearchFault as fault:
            fail(str(fault))


def asks(command: Callable[..., None]) -> Callable[..., None]:
    """Have a command take Where's fields as options; it gets them as its `where`."""
    options = inspect.signature(Where, eval_str=True).parameters
    own = inspect.signature(command, eval_str=True).parameters

    @functools.wraps(command)
    def asking(**given: Any) -> None:
        where = Where(**{name: given.pop(name) for name in options})
        command(**given, where=where)

    shown = [*(one for name, one in own.items() if name != "where"), *options.values()]
    named = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in shown]
    setattr(asking, "__signature__", inspect.Signature(named))  # noqa: B010
    asking.__annotations__ = {one.name: one.annotation for one in named}
    return asking


def _given(key_file: Path | None) -> str:
    if key_file is None:
        return os.environ.get(_KEY_VARIABLE, "").strip()
    return key_in(key_file)


def key_in(file: Path) -> str:
    """The key in a file; without one, this command ends."""
    try:
        key = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as fault:
        fail(f"{file}: {fault}")
    if not key:
        fail(f"{file}: it is empty: write the key into it")
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
