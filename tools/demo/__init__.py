"""A house on one machine: a storage box and emulated boards, for people to see and for benches.

`plan` says which rooms there are, `installation` whose they are; `house` runs them and its box
(`box_process`), `reports` keeps what they say, `view` shows them, `show` is `phantom demo`.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """`phantom demo`; returns the exit status."""
    from tools.demo import show

    return show.main(arguments)
