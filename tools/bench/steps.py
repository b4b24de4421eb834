"""The steps of a bench on stderr, one at a time: stdout is for figures."""

from __future__ import annotations

import sys

from tools.progress import Step


class Steps:
    """A context manager; `next` ends the step at work and begins another."""

    def __init__(self) -> None:
        self._step: Step | None = None

    def __enter__(self) -> Steps:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._step is not None:
            self._step.end("done in" if kind is None else "failed after")

    def next(self, title: str) -> None:
        """Ends the step at work and begins another."""
        if self._step is not None:
            self._step.end("done in")
        self._step = Step(title, sys.stderr)

    def say(self, doing: str) -> None:
        """What the step is at."""
        if self._step is not None:
            self._step.say(doing)
