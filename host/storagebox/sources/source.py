"""The class that the author of a source subclasses.

A source produces sound: a library, a radio station, a line input. It runs as a process of its own,
so it may block, crash or hang without harm to the box or to other sources.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence

from .events import Skipped, Track, Truncated
from .ring import Frames

Rendered = Frames | Track | Skipped | Truncated
"""What `Source.render` yields."""


class SourceError(Exception):
    """Why a source cannot play: one line for a person, naming the thing, the fault, the remedy."""


class Source(ABC):
    """Something that produces sound. Subclass it, and end your module with

        if __name__ == "__main__":
            run(MySource)

    with `run` from `storagebox.sources.serving`. Then `SourceProcess("my.module")` plays it.

    `render` is likely the only thing that you need to override.
    """

    def warm_up(self) -> None:  # noqa: B027 nothing to do is a good default
        """*May be overridden.* Do now what would delay the first sound: the process is started
        long before anybody presses play. Load what is loaded lazily, fill tables."""

    def expand(self, requested: Sequence[str]) -> Iterable[str | Skipped]:
        """*May be overridden.* Turns what was asked for into single items, in playing order.

        A folder becomes its files, a playlist its entries. `Skipped` in the result names what
        cannot be played. Must give the same items in the same order each time, since a restarted
        source takes up its work by counting them. May be lazy, but raise `SourceError` at once
        (not while iterating) if nothing of it can be played: then `play` is refused with your
        words. Default: the request as it is.
        """
        return requested

    @abstractmethod
    def render(self, items: Iterable[str]) -> Iterator[Rendered]:
        """*Must be overridden.* Yields the sound of `items`, one after another.

        Yield

        - canonical PCM: C-contiguous or not, shape (frames, 2), int16, 48 kHz, in blocks of any
          length from 1 frame on. Several milliseconds are good, a second is long: between two
          blocks you are stopped. The array is copied before you are resumed; reuse it freely.
        - a `Track` just before its first frame,
        - `Skipped` for an item that you cannot play, `Truncated` for one that broke off. Then go
          on with the next: one bad file never stops the music.

        You are resumed when there is room for more, so don't sleep to keep time. A live source
        (radio, line-in) that has nothing to say yields silence instead of blocking: a source that
        produces nothing for `process.STALL_S` while the box wants sound is taken for hung, killed
        and restarted.

        Take the next of `items` only when you are about to open it: the last one taken is the one
        that is blamed for a crash. Use `try … finally` or `with` for what must be closed: stopping
        closes the generator (GeneratorExit).

        The same items must give the same frames each time, since after a crash the box skips
        as many as it has got before; other boxes rely on it as well. Raise `SourceError` to give
        up altogether. Any other exception counts as the fault of the current item: it is reported
        as skipped, and `render` is called anew with the remaining ones.
        """

    def close(self) -> None:  # noqa: B027 nothing to do is a good default
        """*May be overridden.* The box is about to end the process. Not called after a crash."""
