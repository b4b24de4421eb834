"""Whether a board is to get a bundle, before anything is sent; a board checks all of it again."""

from __future__ import annotations

from collections.abc import Sequence

from phantom import manifest

from .board import ON_TRIAL
from .bundle import Bundle
from .candidate import Candidate
from .job import CURRENT, PENDING, SKIPPED

FROZEN = "frozen"
FROZEN_REMEDY = "its code is in its image: flash it over its serial line, by `phantom flash`"
NO_BOARD = "no board that takes updates: a computer's renderer comes with its package"


def fitting(board: Candidate, bundles: Sequence[Bundle]) -> Bundle | None:
    """The bundle for a board: the one for its very kind, if there is one."""
    some = [bundle for bundle in bundles if bundle.fits(board.board, board.arch)]
    return min(some, key=lambda bundle: bundle.board == manifest.ANY_BOARD, default=None)


def verdict(board: Candidate, bundle: Bundle | None, force: bool) -> tuple[str, str]:
    """The state in which a board's row begins, and why if it is not PENDING."""
    if not board.connected:
        return SKIPPED, f"away: {board.why_away}"
    if not board.slot:
        return SKIPPED, NO_BOARD
    if bundle is None:
        make = f"make one: phantom bundle --arch {board.arch}"
        return SKIPPED, f"no bundle for {board.board}, which runs {board.arch}: {make}"
    has_it = board.version == bundle.version
    if board.slot == FROZEN:
        well = has_it and not force and not board.safe
        return (CURRENT, "") if well else (SKIPPED, FROZEN_REMEDY)
    resumed = has_it and board.update.get("state") in ON_TRIAL
    if resumed or force or board.safe:
        return PENDING, ""
    if has_it:
        return CURRENT, ""
    if bundle.version in board.failed:
        return SKIPPED, f"{bundle.version} has failed there before: insist on it by --force"
    if manifest.numbers(bundle.version) < manifest.numbers(board.version):
        return SKIPPED, f"it has {board.version}, which is newer: insist on it by --force"
    return PENDING, ""
