"""`phantom search keys`: API keys, and keys signed with them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode

import typer

from . import search_target as target
from .app import FAILED, Commands, Json, fail
from .ask import show_json
from .search import search

keys = typer.Typer(
    cls=Commands,
    help="API keys: list, add, delete, restore, and sign restricted ones.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
search.add_typer(keys, name="keys")

_VISIBLE_S: Final = 10.0
_POLL_S: Final = 0.05

Indices = Annotated[
    list[str] | None,
    typer.Option("--index", help="Only this one, or such as `tracks*`; may be repeated."),
]
Params = Annotated[
    list[str] | None,
    typer.Option(
        "--param", "-p", help="A parameter that every search has, as NAME=VALUE; may be repeated."
    ),
]
KeyArgument = Annotated[str, typer.Argument(metavar="KEY")]


@keys.command("list")
def list_(
    as_json: Json = False,
    url: target.Url = target.URL,
    application: target.ApplicationId = target.APPLICATION,
    key_file: target.KeyFile = None,
    folder: target.Folder = None,
) -> None:
    """Show all keys but the admin's."""
    from . import search_table, tables

    told: Any = _call("list", (url, application, key_file, folder), "GET", "/1/keys")
    if as_json:
        show_json(told)
    else:
        tables.show(search_table.keys(told["keys"], time.time()))


@keys.command()
def add(
    acl: Annotated[list[str], typer.Argument(help="What it may do: search, browse, addObject, …")],
    index: Indices = None,
    referer: Annotated[
        list[str] | None,
        typer.Option(help="Only from these pages, such as `https://my.site/*`; may be repeated."),
    ] = None,
    param: Params = None,
    validity: Annotated[int, typer.Option(help="Seconds that it is valid for; 0: always.")] = 0,
    max_hits: Annotated[int, typer.Option(help="Hits in one answer at most; 0: any.")] = 0,
    max_calls: Annotated[
        int, typer.Option(help="Calls in an hour, by address or user token; 0: any.")
    ] = 0,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    url: target.Url = target.URL,
    application: target.ApplicationId = target.APPLICATION,
    key_file: target.KeyFile = None,
    folder: target.Folder = None,
) -> None:
    """Give out a key, and print it once it is valid."""
    where = (url, application, key_file, folder)
    body = {
        "acl": acl,
        "indexes": index or [],
        "referers": referer or [],
        "queryParameters": _encoded("add", param or ()),
        "validity": validity,
        "maxHitsPerQuery": max_hits,
        "maxQueriesPerIPPerHour": max_calls,
        "description": description,
    }
    made: str = _call("add", where, "POST", "/1/keys", body)["key"]
    _until("add", where, made, valid=True)
    print(made)


@keys.command()
def delete(
    key: KeyArgument,
    url: target.Url = target.URL,
    application: target.ApplicationId = target.APPLICATION,
    key_file: target.KeyFile = None,
    folder: target.Folder = None,
) -> None:
    """Take a key back, and with it all that were signed by it."""
    where = (url, application, key_file, folder)
    _call("delete", where, "DELETE", _path(key))
    _until("delete", where, key, valid=False)


@keys.command()
def restore(
    key: KeyArgument,
    url: target.Url = target.URL,
    application: target.ApplicationId = target.APPLICATION,
    key_file: target.KeyFile = None,
    folder: target.Folder = None,
) -> None:
    """Give a key out again that was deleted."""
    where = (url, application, key_file, folder)
    _call("restore", where, "POST", _path(key) + "/restore")
    _until("restore", where, key, valid=True)


@keys.command()
def sign(
    key: Annotated[
        str, typer.Argument(metavar="KEY", help="The key to sign with; not the admin's.")
    ],
    filters: Annotated[str, typer.Option(help="What has to hold, such as `owner:42`.")] = "",
    index: Indices = None,
    source: Annotated[str, typer.Option(help="Only from this network: 192.168.1.0/24.")] = "",
    user: Annotated[str, typer.Option(help="Whose calls are counted together.")] = "",
    valid_for: Annotated[int, typer.Option(help="Seconds that it is valid for; 0: always.")] = 0,
    param: Params = None,
) -> None:
    """Print a key that may do less than KEY: made here, and known to no server."""
    from storagebox.search.server import secured

    restrictions: dict[str, object] = dict(_pairs("sign", param or ()))
    if filters:
        restrictions["filters"] = filters
    if index:
        restrictions["restrictIndices"] = ",".join(index)
    if source:
        restrictions["restrictSources"] = source
    if user:
        restrictions["userToken"] = user
    if valid_for:
        restrictions["validUntil"] = int(time.time()) + valid_for
    if not restrictions:
        fail("search keys sign: nothing to restrict: give --filters or --index, say")
    print(secured.sign(key, restrictions))


def _call(
    command: str, where: tuple[Any, ...], method: str, path: str, body: object = None
) -> Any:
    from .search_client import SearchFault

    try:
        with target.client(*where) as api:
            return api.call(method, path, body)
    except SearchFault as fault:
        fail(f"search keys {command}: {fault}", FAILED if fault.status in (0, 429, 503) else 2)


def _until(command: str, where: tuple[Any, ...], key: str, *, valid: bool) -> None:
    """Wait until a change of a key, which has no task, is in force."""
    from .search_client import SearchFault

    until = time.monotonic() + _VISIBLE_S
    with target.client(*where) as api:
        while time.monotonic() < until:
            try:
                api.call("GET", _path(key))
                found = True
            except SearchFault as fault:
                if fault.status != 404:
                    fail(f"search keys {command}: {fault}", FAILED)
                found = False
            if found is valid:
                return
            time.sleep(_POLL_S)
    fail(f"search keys {command}: taken, and not in force after {_VISIBLE_S:g} s", FAILED)


def _path(key: str) -> str:
    return f"/1/keys/{quote(key, safe='')}"


def _pairs(command: str, given: Sequence[str]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for text in given:
        name, equals, value = text.partition("=")
        if not name or not equals:
            fail(f"search keys {command}: {text}: a parameter is NAME=VALUE")
        pairs.append((name, value))
    return pairs


def _encoded(command: str, given: Sequence[str]) -> str:
    return urlencode(_pairs(command, given))
