"""What people see: the box's answers as tables, and a line for each change.

Plain text in a pipe, whatever its width; on a terminal tables fit 80 columns.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from . import chosen_table

_STYLES = {
    "good": "green",
    "fair": "yellow",
    "poor": "bold red",
    "silent": "bold red",
    "fault": "bold red",
    "busy": "yellow",
    "bare": "cyan",
    "phantom": "green",
    "gone": "bold red",
    "playing": "green",
    "paused": "cyan",
    "waiting": "cyan",
    "syncing": "yellow",
    "starved": "bold red",
    "away": "bold red",
    "safe mode": "bold red",
}
# Wider than any table, so that nothing in a pipe is cut.
_PIPE_WIDTH = 1000
# Columns of what people have named.
_NAMES = ("room", "device", "with", "devices")

Json = Mapping[str, Any]


def show(*parts: RenderableType) -> None:
    """Print, each part after an empty line but the first."""
    console = Console(highlight=False, markup=False)
    if console.is_terminal:
        _print(console, parts)
        return
    text = StringIO()
    _print(
        Console(file=text, width=_PIPE_WIDTH, highlight=False, markup=False, no_color=True), parts
    )
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines()))


def _print(console: Console, parts: Iterable[RenderableType]) -> None:
    for number, part in enumerate(parts):
        if number:
            console.print()
        console.print(part)


# Status


def status(answer: Json) -> list[RenderableType]:
    """The house: what plays, each device, what is wrong, who was chosen, who waits."""
    rooms: Sequence[Json] = answer["rooms"]
    parts: list[RenderableType] = [_heading(answer)]
    groups = _groups(answer)
    if groups is not None:
        parts.append(groups)
    if rooms:
        parts.append(_devices(rooms, _states(answer)))
    remarks = [_remark(room) for room in rooms if _reason(room)]
    if remarks:
        parts.append(Text("\n").join(remarks))
    choices = chosen_table.chosen(answer)
    if choices is not None:
        parts.append(choices)
    if answer.get("unadopted"):
        parts += unadopted(answer["unadopted"])
    return parts


def _heading(answer: Json) -> Text:
    installation = answer["installation"]
    name = installation["name"] if isinstance(installation, Mapping) else installation
    rooms = answer["rooms"]
    devices = [device for room in rooms for device in room["devices"]]
    here = sum(1 for device in devices if device["connected"])
    counts = f"{_count(len(rooms), 'room')}, {here} of {_count(len(devices), 'device')} here"
    boxes = len(answer.get("boxes", ()))
    if boxes > 1:
        counts += f", {boxes} boxes"
    return Text.assemble((str(name), "bold"), f"  {counts}")


def _groups(answer: Json) -> Table | None:
    """Two lines for each group that has something to play."""
    sessions = {session["id"]: session for session in answer.get("sessions", ())}
    names = {room["id"]: room["name"] for room in answer["rooms"] if "id" in room}
    grid = Table.grid(padding=(0, 2, 0, 0))
    for group in answer.get("groups", ()):
        session = sessions.get(group.get("session"))
        if session is None:
            continue
        state = _styled(session["state"])
        heard = Text("  ").join(
            part
            for part in (state, Text(_clock(session.get("position_s"))), _track(session))
            if part
        )
        grid.add_row(
            Text(", ".join(names.get(room, room) for room in group["rooms"]), style="bold"), heard
        )
        grid.add_row("", Text(_terms(group, session), style="dim"))
    return grid if grid.row_count else None


def _terms(group: Json, session: Json) -> str:
    """How loud, and what the network makes necessary."""
    parts = [f"volume {_volume(group)}"]
    if group.get("lead_ms") is not None:
        parts.append(f"lead {group['lead_ms']} ms")
    if group.get("codec"):
        parts.append(str(group["codec"]))
    if session.get("reason"):
        parts.append(str(session["reason"]))
    return ", ".join(parts)


def _devices(rooms: Sequence[Json], states: Mapping[str, str]) -> Table:
    grid = _grid("room", "device", "state", "health", "volume")
    for name in ("buffer\nms", "error\nµs", "under-\nruns"):
        grid.add_column(name, no_wrap=True)
    for column in grid.columns[4:]:
        column.justify = "right"
    for room in rooms:
        for number, device in enumerate(room["devices"]):
            grid.add_row(
                Text("" if number else room["name"], style="bold"),
                _device_name(device),
                _styled(_state(device, states.get(room.get("id", ""), ""))),
                _styled("" if number else str(room.get("health") or "")),
                _volume(device),
                _figure(device.get("buffer_ms")),
                _figure(device.get("error_us"), "+"),
                _figure(device.get("underruns")),
            )
    return grid


def _state(device: Json, session: str) -> str:
    if device.get("safe_mode"):
        return "safe mode"
    if not device["connected"]:
        return "away"
    state = str(device.get("state") or "")
    # A device that plays nothing because people said so is no news of its own.
    return session if state == "idle" and session == "paused" else state


def _states(answer: Json) -> dict[str, str]:
    """The session's state for each room's id."""
    states = {session["id"]: session["state"] for session in answer.get("sessions", ())}
    return {
        room: states[group["session"]]
        for group in answer.get("groups", ())
        for room in group["rooms"]
        if group.get("session") in states
    }


def _reason(room: Json) -> str:
    reason = room.get("reason")
    if reason:
        return str(reason)
    closes = [
        f"{device['id']} at {device['address']} is not connected "
        f"({device.get('last_close') or 'no answer yet'})"
        for device in room["devices"]
        if not device["connected"]
    ]
    return "; ".join(closes)


def _remark(room: Json) -> Text:
    style = _STYLES.get(room.get("health") or "gone", "")
    return Text.assemble((f"{room['name']}: ", style), _reason(room))


# Rooms


def rooms(answer: Sequence[Json]) -> list[RenderableType]:
    """A row for each room."""
    if not answer:
        return [Text("no rooms yet: `phantom adopt` lists the boards that wait")]
    grid = _grid("room", "kind", "volume", "health", "with", "devices")
    grid.columns[2].justify = "right"
    for room in answer:
        others = [
            other["name"]
            for other in answer
            if room.get("group") and other.get("group") == room["group"] and other is not room
        ]
        devices = Text(", ").join(_device_name(device) for device in room["devices"])
        grid.add_row(
            Text(room["name"], style="bold"),
            str(room.get("kind") or ""),
            _volume(room),
            _styled(str(room.get("health") or "")),
            ", ".join(others),
            devices,
        )
    remarks = [_remark(room) for room in answer if room.get("reason")]
    return [grid, Text("\n").join(remarks)] if remarks else [grid]


def levels(answer: Sequence[Json]) -> Table:
    """How loud each room is."""
    grid = _grid("room", "volume")
    grid.columns[1].justify = "right"
    for room in answer:
        grid.add_row(Text(room["name"], style="bold"), _volume(room))
    return grid


def named(answer: Sequence[Json], names: Sequence[str] | None) -> list[Json]:
    """The rooms that people named, as the box understands names: any case, the beginning."""
    if names is None:
        return list(answer)
    wanted = [name.casefold() for name in names]
    return [
        room
        for room in answer
        if room["id"] in names or any(room["name"].casefold().startswith(w) for w in wanted)
    ]


# Boards


def unadopted(boards: Sequence[Json]) -> list[RenderableType]:
    """The boards that wait, and what to do."""
    if not boards:
        return [Text("no board waits to be adopted")]
    grid = _grid("waits to be adopted", "address", "board")
    for board in boards:
        grid.add_row(
            Text(board["id"], style="bold"), board.get("address", ""), board.get("board", "")
        )
    remedy = f"phantom adopt {boards[0]['id']} CODE, with the code on its serial console"
    return [grid, Text(remedy, style="dim")]


def pins(rows: Sequence[Json]) -> list[RenderableType]:
    """Buttons and lights, and where their two ends go."""
    grid = _grid("", "name", "GPIO", "header pin", "other end", "active", "pull")
    for row in rows:
        ground = f", pin {row['ground_pin']}" if row["ground_pin"] else ""
        grid.add_row(
            row["kind"],
            Text(row["name"], style="bold"),
            row["pin"] if row["gpio"] is None else str(row["gpio"]),
            str(row["header_pin"] or ""),
            f"{row['other_end']}{ground}",
            row["active"],
            row["pull"] or "",
        )
    return [grid]


def on_ports(ports: Sequence[Json]) -> list[RenderableType]:
    """The serial ports, what is on them, and a line of what more there is to say of each."""
    if not ports:
        return [Text("no serial port: plug a board in with a USB cable that carries data")]
    grid = _grid("port", "is", "chip", "MAC", "flash", "name")
    grid.columns[4].justify = "right"
    for port in ports:
        chip, _, _ = str(port.get("chip") or "").partition(" (")
        grid.add_row(
            Text(port["port"], style="bold"),
            _styled(port["state"]),
            chip,
            str(port.get("mac") or ""),
            _size(port.get("flash_bytes")),
            str(port.get("name") or port.get("id") or ""),
        )
    remarks = [
        Text.assemble((f"{port['port']}: ", "bold"), remark)
        for port in ports
        if (remark := port["why"] or _on_board(port))
    ]
    return [grid, Text("\n").join(remarks)] if remarks else [grid]


def _on_board(port: Json) -> str:
    if not port.get("phantom"):
        return ""
    parts = [
        f"Phantom {port['phantom']} on MicroPython {port.get('micropython')}",
        str(port.get("board") or "of no known board"),
        f"of {port['house']}" if port.get("house") else "waits to be adopted",
        f"Wi-Fi {port['ssid']}" if port.get("ssid") else "no Wi-Fi",
    ]
    if port.get("free_bytes") is not None:
        parts.append(f"{_size(port['free_bytes'])} free")
    return ", ".join(parts)


def _size(count: int | None) -> str:
    return "" if count is None else f"{count / 1024 / 1024:.3g} MB"


# Changes


def change(told: Json) -> str:
    """One line for a change: its kind, its device or room, then what else it says."""
    first = [str(told[key]) for key in ("kind", "device", "room", "name") if told.get(key)]
    rest = [
        f"{key}={_short(value)}"
        for key, value in told.items()
        if key not in ("kind", "device", "room", "name") and value is not None
    ]
    return "  ".join([" ".join(first), *rest])


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{key}:{_short(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ",".join(_short(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


# Cells


def _grid(*columns: str) -> Table:
    """Where it gets narrow, names wrap, and nothing else does."""
    grid = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for column in columns:
        grid.add_column(column, no_wrap=column not in _NAMES, overflow="fold")
    return grid


def _device_name(device: Json) -> Text:
    name = Text(device["id"])
    side = device.get("side")
    if side in ("left", "right"):
        name.append(f" {side}", style="dim")
    return name


def _styled(word: str) -> Text:
    return Text(word, style=_STYLES.get(word, ""))


def _volume(thing: Json) -> Text:
    volume = thing.get("volume")
    level = "" if volume is None else f"{volume:.0f}"
    if thing.get("mute"):
        return Text(f"{level} muted".lstrip(), style="yellow")
    return Text(level)


def _figure(value: float | None, sign: str = "") -> str:
    return "" if value is None else f"{value:{sign}.0f}"


def _track(session: Json) -> Text:
    track: Json = session.get("track") or {}
    title = track.get("title") or str(track.get("path") or "").rpartition("/")[2]
    return Text(" · ".join(part for part in (title, track.get("artist")) if part))


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return ""
    whole = max(0, int(seconds))
    return f"{whole // 60}:{whole % 60:02d}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
