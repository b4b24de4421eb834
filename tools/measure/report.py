"""One run of the house, measured: from captures and what the boards said to figures as JSON.

docs/measurement.md defines every figure; the names here are the report's keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.measure import figures
from tools.measure.accounting import Account, account
from tools.measure.align import Played, align, counter_marker
from tools.measure.canonical import RATE, Canonical
from tools.measure.figures import Belief


@dataclass
class BoardRun:
    """One board's part in a run."""

    board: str  # its id
    room: str
    pick: str
    ppm: float
    captures: list[Path]  # a file a boot, oldest first
    beliefs: list[Belief] = field(default_factory=list[Belief])
    reported_underruns: int = 0
    realigns: int = 0
    heap_live: list[int] = field(default_factory=list[int])  # after collections, while playing


@dataclass(frozen=True)
class Event:
    """Something worth a mark on the plot."""

    time_us: int
    label: str
    board: str | None = None


@dataclass
class Run:
    """Everything known of a run before it is measured."""

    profile: str  # of the network
    seed: int
    codec: str
    lead_ms: int | None
    start_us: int  # house time of stream frame 0
    command_us: int  # house time at which `play` was accepted
    until_us: int  # house time at which the measurement ends
    boards: list[BoardRun]
    canonical: Canonical
    counter: bool  # the music is the frame counter
    events: list[Event] = field(default_factory=list[Event])


@dataclass
class Measured:
    """A measured run: `played` and `accounts` are in the order of `run.boards`."""

    run: Run
    played: list[Played]
    accounts: list[Account]
    report: dict[str, Any]


def measure(run: Run) -> Measured:
    """Aligns every board and computes all figures. Seconds of work for minutes of music."""
    marker = counter_marker if run.counter else None
    played = [
        align(
            board.board,
            board.captures,
            run.start_us,
            pick=board.pick,
            canonical=run.canonical,
            marker=marker,
            since_us=run.command_us,
            until_us=run.until_us,
        )
        for board in run.boards
    ]
    accounts = [account(one, run.canonical, run.until_us) for one in played]
    return Measured(run, played, accounts, _report(run, played, accounts))


def _report(run: Run, played: Sequence[Played], accounts: Sequence[Account]) -> dict[str, Any]:
    beliefs = {board.board: board.beliefs for board in run.boards}
    begun = figures.start(played, run.command_us)
    pairs = figures.pairwise(played)
    return {
        "emulated": True,
        "profile": run.profile,
        "seed": run.seed,
        "seconds": round((run.until_us - run.start_us) / 1e6, 1),
        "codec": run.codec,
        "lead_ms": run.lead_ms,
        "crystals_ppm": {board.board: board.ppm for board in run.boards},
        "true_error_us": figures.true_error(played),
        "believed_gap_us": figures.believed_gap(played, beliefs),
        "underruns": sum(books.underruns for books in accounts),
        "dropouts": sum(len(books.dropouts) for books in accounts),
        "start_spread_us": begun.spread_us,
        "start_late_frames": begun.late_frames,
        "command_to_sound_ms": begun.command_to_sound_ms,
        "trims": sum(books.trims for books in accounts),
        "realigns": sum(board.realigns for board in run.boards),
        "jumps": sum(len(books.jumps) for books in accounts),
        "pairs": {
            f"{one} / {other}": figures.distribution(v) for (one, other), v in pairs.items()
        },
        "boards": {
            board.board: _board(run, board, one, books)
            for board, one, books in zip(run.boards, played, accounts, strict=True)
        },
        "events": [
            {"at_s": _seconds(run, event.time_us), "label": event.label, "board": event.board}
            for event in run.events
        ],
    }


def _board(run: Run, board: BoardRun, played: Played, books: Account) -> dict[str, Any]:
    first = played.stretches[0] if played.stretches else None
    return {
        "room": board.room,
        "pick": board.pick,
        "ppm": board.ppm,
        "house_error_us": figures.house_error(played),
        "believed_gap_us": figures.distribution(figures.belief_gaps(played, board.beliefs)),
        "reports": len(board.beliefs),
        "first_frame": first.first_frame if first else None,
        "first_frame_late_us": _late(run, first.first_frame, first.first_ns) if first else None,
        "blocks": len(played.frame),
        "unread_blocks": played.unread,
        "trims": books.trims,
        "left_out_frames": books.left_out,
        "repeated_frames": books.repeated,
        "realigns": board.realigns,
        "underruns": books.underruns,
        "reported_underruns": board.reported_underruns,
        "heap_growth_bytes": figures.growth(board.heap_live),
        "jumps": [
            {"at_s": _seconds(run, jump.time_ns / 1e3), "frames": jump.frames}
            for jump in books.jumps
        ],
        "dropouts": [
            {
                "at_s": _seconds(run, dropout.time_ns / 1e3),
                "ms": round(dropout.seconds * 1e3, 1),
                "underrun": dropout.underrun,
            }
            for dropout in books.dropouts
        ],
    }


def _seconds(run: Run, time_us: float) -> float:
    return round((time_us - run.start_us) / 1e6, 3)


def _late(run: Run, frame: int, time_ns: float) -> float:
    return round(time_ns / 1e3 - run.start_us - frame * 1e6 / RATE, 1)
