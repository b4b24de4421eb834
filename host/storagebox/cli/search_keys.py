"""`phantom search keys`: API keys, and keys signed with them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode

import typer

from . import search_target as target
from .app import Commands
from .ask import show_json
from .ending import FAILED, fail
from .options import Json
from .search import search

keys = typer.Typer(
    cls=Commands,
    help="API keys: list, add, change, delete, restore, and sign restricted ones.",
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
@target.asks
def list_(
    as_json: Json = False,
    *,
    where: target.Where,
) -> None:
    """Show all keys but the admin's."""
    from . import search_table, tables

    told: Any = _call("list", where, "GET", "/1/keys")
    if as_json:
        show_json(told)
    else:
        tables.show(search_table.keys(told["keys"], time.time()))


@keys.command()
@target.asks
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
    *,
    where: target.Where,
) -> None:
    """Give out a key, and print it once it is valid."""
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
    _until("add", where, made, {})
    print(made)


@keys.command()
@target.asks
def change(
    key: KeyArgument,
    acl: Annotated[
        list[str] | None, typer.Option("--may", help="What it may do; may be repeated.")
    ] = None,
    index: Indices = None,
    max_hits: Annotated[int | None, typer.Option(help="Hits in one answer; 0: any.")] = None,
    max_calls: Annotated[
        int | None, typer.Option(help="Calls in an hour, by address or user token; 0: any.")
    ] = None,
    validity: Annotated[int | None, typer.Option(help="Seconds from now; 0: always.")] = None,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    *,
    where: target.Where,
) -> None:
    """Change what a key may do, and how often; what isn't given stays."""
    asked = {
        "acl": acl,
        "indexes": index,
        "maxHitsPerQuery": max_hits,
        "maxQueriesPerIPPerHour": max_calls,
        "validity": validity,
        "description": description,
    }
    changes = {name: value for name, value in asked.items() if value is not None}
    if not changes:
        fail("search keys change: nothing to change: give --max-calls, say")
    held = _call("change", where, "GET", _path(key))
    if changes.get("validity"):  # the API counts from when the key was made
        changes["validity"] += int(time.time()) - held["createdAt"] // 1000
    wanted = {**held, **changes}
    _call("change", where, "PUT", _path(key), wanted)
    _until("change", where, key, changes)


@keys.command()
@target.asks
def delete(
    key: KeyArgument,
    *,
    where: target.Where,
) -> None:
    """Take a key back, and with it all that were signed by it."""
    _call("delete", where, "DELETE", _path(key))
    _until("delete", where, key, None)


@keys.command()
@target.asks
def restore(
    key: KeyArgument,
    *,
    where: target.Where,
) -> None:
    """Give a key out again that was deleted."""
    _call("restore", where, "POST", _path(key) + "/restore")
    _until("restore", where, key, {})


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


def _call(command: str, where: target.Where, method: str, path: str, body: object = None) -> Any:
    from .search_client import SearchFault

    try:
        with where.client() as api:
            return api.call(method, path, body)
    except SearchFault as fault:
        fail(f"search keys {command}: {fault}", FAILED if fault.status in (0, 429, 503) else 2)


def _until(command: str, where: target.Where, key: str, wanted: Mapping[str, Any] | None) -> None:
    """Wait until a key, which has no task, is there with these fields, or with None is gone."""
    from .search_client import SearchFault

    until = time.monotonic() + _VISIBLE_S
    with where.client() as api:
        while time.monotonic() < until:
            try:
                found: Any = api.call("GET", _path(key))
            except SearchFault as fault:
                if fault.status != 404:
                    fail(f"search keys {command}: {fault}", FAILED)
                found = None
            if found is None or wanted is None:
                if found is wanted:
                    return
            elif all(found[name] == value for name, value in wanted.items()):
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
