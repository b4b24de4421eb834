"""The figures of a run: distributions over boards and time. docs/measurement.md defines each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from boards.emulated.capture import BLOCK_FRAMES
from tools.measure.align import NS_PER_FRAME, Played

Floats = npt.NDArray[np.float64]

# A board counts as in time again from the first block after which it stays this near for HOLD_S.
IN_TIME_US = 1000.0
_HOLD_S = 1.0
# Between two placed blocks this far apart (frames) the error is interpolated; beyond, it's
# unknown.
_REACH_FRAMES = 3 * BLOCK_FRAMES
# A report is compared with the truth if a block was placed this near to it.
_REPORT_REACH_NS = 50e6


@dataclass(frozen=True)
class Belief:
    """What a board said of itself: one `renderer.report`."""

    house_us: int  # its own belief of house time when it reported
    error_us: int  # its believed error


def distribution(values: Floats) -> dict[str, float | None]:
    """p50, p95, p99 and max, to 0.1; all None when there are no values."""
    if len(values) == 0:
        return dict.fromkeys(("p50", "p95", "p99", "max"))
    p50, p95, p99, top = np.percentile(values, (50, 95, 99, 100))
    return {
        "p50": round(float(p50), 1),
        "p95": round(float(p95), 1),
        "p99": round(float(p99), 1),
        "max": round(float(top), 1),
    }


def errors_at(played: Played, frames: npt.NDArray[np.int64]) -> Floats:
    """True error in us at stream frames (n,), NaN where the board was not heard."""
    if played.frame.size == 0:
        return np.full(len(frames), np.nan)
    known, unique = np.unique(played.frame, return_index=True)
    errors = np.interp(frames, known, played.error_us[unique])
    after = np.searchsorted(known, frames).clip(1, len(known) - 1) if len(known) > 1 else None
    if after is None:
        errors[frames != known[0]] = np.nan
        return errors
    apart = known[after] - known[after - 1]
    outside = (frames < known[0]) | (frames > known[-1])
    errors[outside | (apart > _REACH_FRAMES) & ~np.isin(frames, known)] = np.nan
    return errors


def instants(boards: Sequence[Played]) -> npt.NDArray[np.int64]:
    """Every 256th stream frame that any board was heard at."""
    heard = [board.frame for board in boards if board.frame.size]
    if not heard:
        return np.zeros(0, np.int64)
    low, high = min(int(f.min()) for f in heard), max(int(f.max()) for f in heard)
    return np.arange(low - low % -BLOCK_FRAMES, high + 1, BLOCK_FRAMES, dtype=np.int64)


def pairwise(boards: Sequence[Played]) -> dict[tuple[str, str], Floats]:
    """|error of one - error of other| in us at every instant both were heard, for each pair."""
    grid = instants(boards)
    errors = {board.board: errors_at(board, grid) for board in boards}
    apart: dict[tuple[str, str], Floats] = {}
    for one, other in combinations(errors, 2):
        difference = np.abs(errors[one] - errors[other])
        apart[one, other] = difference[~np.isnan(difference)]
    return apart


def true_error(boards: Sequence[Played]) -> dict[str, float | None]:
    """`true_error_us`: the distribution of `pairwise` over all pairs and instants together."""
    values = list(pairwise(boards).values())
    return distribution(np.concatenate(values) if values else np.zeros(0))


def house_error(board: Played) -> dict[str, float | None]:
    """Distribution of one board's |true error| against house time."""
    return distribution(np.abs(board.error_us))


def belief_gaps(board: Played, beliefs: Sequence[Belief]) -> Floats:
    """|believed error - true error| in us, one value a report made while the board was heard."""
    if board.time_ns.size == 0 or not beliefs:
        return np.zeros(0)
    at = np.array([belief.house_us for belief in beliefs], np.float64) * 1e3
    said = np.array([belief.error_us for belief in beliefs], np.float64)
    after = np.searchsorted(board.time_ns, at)
    padded = np.concatenate(([-np.inf], board.time_ns, [np.inf]))
    near = np.minimum(at - padded[after], padded[after + 1] - at)
    true = np.interp(at, board.time_ns, board.error_us)
    return np.abs(said - true)[near <= _REPORT_REACH_NS]


def believed_gap(
    boards: Sequence[Played], beliefs: Mapping[str, Sequence[Belief]]
) -> dict[str, float | None]:
    """`believed_gap_us`: the distribution of `belief_gaps` over all boards and reports."""
    gaps = [belief_gaps(board, beliefs.get(board.board, ())) for board in boards]
    return distribution(np.concatenate(gaps) if gaps else np.zeros(0))


@dataclass(frozen=True)
class Start:
    """How a session began."""

    spread_us: float | None  # between the boards' first frames
    command_to_sound_ms: float | None  # command accepted to the last board's first frame
    late_frames: int  # stream frames that the worst board missed at its beginning


def start(boards: Sequence[Played], command_us: int) -> Start:
    """Start figures from each board's first boot; boards that never sounded give no figures."""
    begun = [board.stretches[0] for board in boards if board.stretches]
    if not begun or len(begun) < len(boards):
        return Start(None, None, max((s.first_frame for s in begun), default=0))
    firsts = [stretch.first_ns for stretch in begun]
    return Start(
        round((max(firsts) - min(firsts)) / 1e3, 1),
        round(max(firsts) / 1e6 - command_us / 1e3, 2),
        max(stretch.first_frame for stretch in begun),
    )


def growth(values: Sequence[int]) -> int | None:
    """How much more the last quarter of a series reached than the first one; None if too short.

    Of live heap: messages come and go, so one value tells nothing, but a leak lifts them all.
    """
    quarter = len(values) // 4
    if quarter < 2:
        return None
    return max(values[-quarter:]) - max(values[:quarter])


def rejoin_s(board: Played, restart_us: int, boot: int) -> float | None:
    """Seconds from a restart to the first frame of sound that is in time and stays so for 1 s.

    In time means |true error| <= 1 ms against house time. None if that never came.
    """
    chosen = [stretch for stretch in board.stretches if stretch.boot == boot]
    if not chosen:
        return None
    time_ns = np.concatenate([stretch.time_ns for stretch in chosen])
    frame = np.concatenate([stretch.frame for stretch in chosen])
    error_us = (time_ns - board.start_us * 1e3 - frame * NS_PER_FRAME) / 1e3
    bad = np.flatnonzero(np.abs(error_us) > IN_TIME_US)
    candidates = [0, *(int(at) + 1 for at in bad)]
    for first in candidates:
        if first >= len(time_ns):
            return None
        until = time_ns[first] + _HOLD_S * 1e9
        held = bad[bad >= first]
        if len(held) == 0 or time_ns[held[0]] > until:
            return round((float(time_ns[first]) - restart_us * 1e3) / 1e9, 3)
    return None
