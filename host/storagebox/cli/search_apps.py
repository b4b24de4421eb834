"""`phantom search apps` and `quota`: the applications in a folder, served or not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .ask import show_json
from .ending import FAILED, fail
from .options import Json
from .search import Folder, search
from .state_folder import default_state


@search.command("apps")
def apps(
    add: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Make one, and print its admin key."),
    ] = None,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Show the applications of this machine, or make one.

    A server that serves all of a folder (no --app) serves a new one at once.
    """
    from storagebox.search.writes.applications import Applications

    root = folder or default_state() / "search"
    applications = Applications(root)
    try:
        if add is not None:
            _add(applications, add, as_json)
            return
        listed = [_told(root, name) for name in applications.ids()]
    finally:
        applications.close()
    if as_json:
        show_json({"applications": listed})
        return
    for told in listed:
        indices = " ".join(told["indices"]) or "no indices"
        print(f"{told['name']}  {told['keys']} keys  {told['bytes'] / 1e6:,.1f} MB  {indices}")
    if not listed:
        fail(f"search apps: none in {root}: make one by --add NAME", FAILED)


@search.command("quota")
def quota(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The application.")],
    records: Annotated[
        int | None, typer.Option(min=0, help="Records it may have, in replicas too; 0: any.")
    ] = None,
    size: Annotated[
        int | None, typer.Option("--bytes", min=0, help="Bytes its indices may take; 0: any.")
    ] = None,
    indices: Annotated[int | None, typer.Option(min=0, help="Indices; 0: any.")] = None,
    rate: Annotated[
        float | None, typer.Option(min=0, help="Requests a second that it may make; 0: any.")
    ] = None,
    write_rate: Annotated[
        float | None, typer.Option(min=0, help="Records a second that it may write; 0: any.")
    ] = None,
    reset: Annotated[
        bool, typer.Option("--reset", help="First forget what was set: the server's options hold.")
    ] = False,
    folder: Folder = None,
    as_json: Json = False,
) -> None:
    """Show what an application of this machine may have and do, or set it.

    A server that serves it acts on it within a second.
    """
    from storagebox.search.writes import quotas
    from storagebox.search.writes.applications import Applications

    root = folder or default_state() / "search"
    applications = Applications(root)
    known = applications.ids()
    applications.close()
    if name not in known:
        fail(f"search quota: no application {name} in {root}: make it by `search apps --add`")
    path = root / name / quotas.FILE
    given = zip(quotas.NAMES, (records, size, indices, rate, write_rate), strict=True)
    changes = {limit: value for limit, value in given if value is not None}
    try:
        held = {} if reset else quotas.said(path)
        if changes or reset:
            held |= changes
            quotas.say(path, held)
    except (OSError, quotas.BadQuota) as fault:
        fail(f"search quota: {fault}", FAILED)
    if as_json:
        show_json({"application": name, "quota": held})
        return
    for limit in quotas.NAMES:
        shown = f"{held[limit]:,}" if held.get(limit) else "any"
        print(f"{limit}  {shown if limit in held else 'as the server says'}")


def _add(applications: Any, name: str, as_json: bool) -> None:
    from storagebox.search.writes.application import Unavailable

    if name in applications.ids():
        fail(f"search apps: {name} is there already")
    try:
        key = applications.create(name).admin_key
    except (Unavailable, ValueError) as fault:
        fail(f"search apps: {str(fault).removeprefix('search: ')}")
    if as_json:
        show_json({"application": name, "key": key})
    else:
        print(key)


def _told(root: Path, name: str) -> dict[str, Any]:
    from time import time

    from storagebox.search.writes import catalog, durable
    from storagebox.search.writes.accepting import Limits

    folder = root / name
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    try:
        found = catalog.load(folder, Limits().keys)
    except (OSError, ValueError, durable.DamagedFileError) as fault:
        fail(f"search apps: {fault}", FAILED)
    kept = found[0] if found is not None else None
    return {
        "name": name,
        "indices": sorted(kept.places) if kept is not None else [],
        "keys": len(kept.keys.all(int(time() * 1000))) if kept is not None else 0,
        "bytes": size,
    }
