"""Who was chosen, by whom and why, as `phantom status` shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.table import Table
from rich.text import Text

Json = Mapping[str, Any]
Row = tuple[str, Text, str, str]

# Another choice than the rest's; nobody can be chosen.
_ODD: Final = "yellow"
_BAD: Final = "bold red"
# So many devices are named, more are counted.
_NAMED: Final = 3


def chosen(answer: Json) -> Table | None:
    """A row for each choice, and for each server that isn't simply well; None without any."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("for", no_wrap=True)
    for heading in ("chosen", "by", "because"):
        table.add_column(heading, overflow="fold")
    before = ""
    for what, *cells in (*_time(answer), *_sound(answer), *_services(answer)):
        table.add_row("" if what == before else what, *cells)
        before = what
    return table if table.row_count else None


def _time(answer: Json) -> Iterator[Row]:
    choices = [choice for choice in answer.get("chosen", ()) if choice["for"] == "time"]
    me = answer.get("box")
    devices = {name for choice in choices for name in choice["by"]} - {me}
    several = len(answer.get("boxes", ())) > 1
    for number, choice in enumerate(choices):
        if choice["by"] or several:
            who = _box(choice["chosen"], me, _ODD if number else "")
            yield "time", who, _askers(choice["by"], me, len(devices)), choice["because"]


def _box(identity: str | None, me: str | None, style: str) -> Text:
    shown = Text(identity or "nobody", style)
    return shown.append(" (this)", "dim") if identity and identity == me else shown


def _askers(by: Sequence[str], me: str | None, of: int) -> str:
    """Few are named, more are counted; all are told to be all."""
    if not by:
        return "nobody yet"
    devices = [name for name in by if name != me]
    parts = ["this box"] if len(devices) < len(by) else []
    if len(devices) == of > 1:
        parts.insert(0, f"all {of} devices")
    elif len(devices) > _NAMED:
        parts.insert(0, f"{len(devices)} of {of} devices")
    else:
        parts = [*devices, *parts]
    return ", ".join(parts)


def _sound(answer: Json) -> Iterator[Row]:
    me = answer.get("box")
    for choice in answer.get("chosen", ()):
        if choice["for"] == "sound":
            who = _box(choice["chosen"], me, "")
            yield "sound", who, ", ".join(choice["by"]), choice["because"]


def _services(answer: Json) -> Iterator[Row]:
    for told in answer.get("services", ()):
        servers: Sequence[Json] = told["servers"]
        addresses = {server["id"]: server["server"] for server in servers}
        who = addresses.get(told["chosen"])
        well = sum(server["well"] for server in servers)
        why = f"{told['because']}; {well} of {len(servers)} well"
        name = Text("nobody", _BAD) if who is None else Text(who)
        yield told["service"], name, "the next request", why
        for server in servers:
            if server["state"] != "well":
                style = "" if server["well"] else _ODD
                yield told["service"], Text(server["server"], style), "", server["state"]
