"""What a person sees while a house plays: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rich.console import Group
from rich.table import Table
from rich.text import Text

# Colours of the true error: a stereo pair wants tens of microseconds, a house one millisecond.
_FINE_US = 60.0
_FAIR_US = 1000.0
_STYLES = {
    "playing": "green",
    "waiting": "cyan",
    "idle": "dim",
    "syncing": "yellow",
    "starved": "bold red",
    "away": "bold red",
}
_FIGURES = ("buffer\nms", "clock\nr/t ms", "believed\nerror µs", "true\nerror µs", "under-\nruns")
_LONGEST_TRACK = 34


@dataclass(frozen=True)
class DeviceView:
    """One board now; None where nothing is known."""

    state: str
    side: str = ""  # left or right, of a stereo pair
    buffer_ms: int | None = None
    rtt_us: int | None = None
    believed_us: float | None = None
    true_us: float | None = None
    underruns: int = 0


@dataclass(frozen=True)
class RoomView:
    """One room now: a solo board, or the two of a stereo pair."""

    name: str
    devices: Sequence[DeviceView]


@dataclass(frozen=True)
class HouseView:
    """The house now."""

    elapsed_s: float
    total_s: float | None
    track: str
    rooms: Sequence[RoomView]
    heading: str = "Phantom"
    notes: Sequence[str] = field(default_factory=tuple[str, ...])

    @property
    def apart_us(self) -> float | None:
        """The largest difference of true errors between any two boards now."""
        known = [d.true_us for room in self.rooms for d in room.devices if d.true_us is not None]
        return max(known) - min(known) if len(known) > 1 else None


def clock(seconds: float) -> str:
    """Minutes and seconds, as on any player: 1:07."""
    whole = max(0, int(seconds))
    return f"{whole // 60}:{whole % 60:02d}"


def table(view: HouseView) -> Group:
    """The live table, a row a board; fits 80 columns."""
    grid = Table(expand=True, box=None, padding=(0, 1, 0, 0), header_style="dim", pad_edge=False)
    grid.add_column("room", style="bold", no_wrap=True)
    grid.add_column("state", no_wrap=True)
    grid.add_column("track", ratio=1, no_wrap=True, overflow="ellipsis")
    for name in (
        "buffer\nms",
        "clock\nr/t ms",
        "believed\nerror µs",
        "true\nerror µs",
        "under-\nruns",
    ):
        grid.add_column(name, justify="right", no_wrap=True)
    for room in view.rooms:
        for device in room.devices:
            grid.add_row(
                f"{room.name} {device.side}".rstrip(),
                Text(device.state, style=_STYLES.get(device.state, "")),
                view.track if device.state == "playing" else "",
                _whole(device.buffer_ms),
                _milliseconds(device.rtt_us),
                _signed(device.believed_us),
                Text(_signed(device.true_us), style=_true_style(device)),
                Text(f"{device.underruns}", style="bold red" if device.underruns else ""),
            )
    parts: list[Table | Text] = [_heading(view), grid]
    if view.apart_us is not None:
        parts.append(Text(f"between any two boards now: {view.apart_us:.0f} µs", style="dim"))
    parts += [Text(note, style="yellow") for note in view.notes]
    return Group(*parts)


def lines(view: HouseView) -> list[str]:
    """The same for a log: one plain line a room."""
    return [
        "  ".join(
            (
                f"{clock(view.elapsed_s):>6}",
                f"{room.name:<11}",
                f"{_state(room):<7}",
                f"buffer {_each(room, lambda d: _whole(d.buffer_ms), 'ms')}",
                f"clock {_each(room, lambda d: _milliseconds(d.rtt_us), 'ms')}",
                f"believed {_each(room, lambda d: _signed(d.believed_us), 'µs')}",
                f"true {_each(room, lambda d: _signed(d.true_us), 'µs')}",
                f"underruns {_underruns(room)}",
                shortened(view.track),
            )
        ).rstrip()
        for room in view.rooms
    ]


def shortened(track: str) -> str:
    """A track's name that leaves room for figures on one line."""
    return track if len(track) <= _LONGEST_TRACK else track[: _LONGEST_TRACK - 1] + "…"


def _heading(view: HouseView) -> Text:
    total = f" / {clock(view.total_s)}" if view.total_s is not None else ""
    return Text.assemble(
        (f"{view.heading}  ", "bold"), (f"{clock(view.elapsed_s)}{total}", "cyan"), "\n"
    )


def _state(room: RoomView) -> str:
    """The most worrying state of its boards."""
    order = ("away", "starved", "syncing", "waiting", "playing", "idle")
    states = {device.state for device in room.devices}
    return next((state for state in order if state in states), "away")


def _underruns(room: RoomView) -> int:
    return sum(device.underruns for device in room.devices)


def _each(room: RoomView, value: Callable[[DeviceView], str], unit: str) -> str:
    return f"{' / '.join(value(device) for device in room.devices)} {unit}"


def _whole(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _milliseconds(us: float | None) -> str:
    return "-" if us is None else f"{us / 1000:.1f}"


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.0f}"


def _true_style(device: DeviceView) -> str:
    if device.true_us is None:
        return "dim"
    worst = abs(device.true_us)
    return "green" if worst <= _FINE_US else "yellow" if worst <= _FAIR_US else "bold red"
