"""What the box and its boards report of an emulated house, as it is asked for again and again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.demo.plan import BoardPlan
from tools.measure.figures import Belief
from tools.measure.report import BoardRun


@dataclass(frozen=True)
class Status:
    """The box's `status`, as JSON."""

    body: dict[str, Any]

    @property
    def devices(self) -> dict[str, dict[str, Any]]:
        """What the box knows of each device, by id."""
        return {d["id"]: d for room in self.body["rooms"] for d in room["devices"]}

    @property
    def session(self) -> dict[str, Any]:
        """The session of all rooms; empty if there never was one."""
        sessions: list[dict[str, Any]] = self.body.get("sessions") or [{}]
        return sessions[-1]

    @property
    def plays(self) -> bool:
        """Whether the session goes on."""
        return self.session.get("state") in ("starting", "playing")

    @property
    def track(self) -> str:
        """Title and artist of what is heard."""
        track: dict[str, str] = self.session.get("track") or {}
        title = track.get("title") or Path(track.get("path") or "").stem
        return " · ".join(part for part in (title, track.get("artist")) if part)

    @property
    def complaints(self) -> list[str]:
        """Files that were skipped or cut short, with the reason, oldest first."""
        return [
            f"{Path(event.get('path', '')).name} {event['event'][7:]}: {event.get('reason', '')}"
            for event in self.body.get("events", [])
            if event["event"] in ("source.skipped", "source.truncated")
        ]


@dataclass
class _Heard:
    """What one board has reported in one life."""

    underruns: int = 0
    realigns: int = 0
    heap_live: list[int] = field(default_factory=list[int])  # bytes, while playing


class Reports:
    """What boards have said of themselves, in all their lives."""

    def __init__(self, boards: Iterable[str]) -> None:
        """`boards` are their ids."""
        self._heard: dict[str, dict[int, _Heard]] = {board: {} for board in boards}
        self._beliefs: dict[str, dict[int, Belief]] = {board: {} for board in self._heard}

    def keep(self, status: Status) -> None:
        """Remember what a status says."""
        for name, device in status.devices.items():
            if device.get("boot") is not None:
                self._keep(name, device)

    def _keep(self, name: str, device: dict[str, Any]) -> None:
        heard = self._heard[name].setdefault(device["boot"], _Heard())
        heard.underruns = max(heard.underruns, device.get("underruns") or 0)
        heard.realigns = max(heard.realigns, device.get("realigns") or 0)
        if device.get("state") != "playing":
            return
        if device.get("heap_live"):
            heard.heap_live.append(device["heap_live"])
        house_us, error_us = device.get("house_us"), device.get("error_us")
        if house_us is not None and error_us is not None:
            self._beliefs[name][house_us] = Belief(house_us, error_us)

    def of(self, board: BoardPlan, captures: Sequence[Path]) -> BoardRun:
        """A board's part in a run, with what it captured."""
        lives = self._heard[board.id].values()
        beliefs = self._beliefs[board.id]
        return BoardRun(
            board.id,
            board.room,
            board.pick,
            board.ppm,
            list(captures),
            [beliefs[at] for at in sorted(beliefs)],
            sum(life.underruns for life in lives),
            sum(life.realigns for life in lives),
            [live for life in lives for live in life.heap_live],
        )
