"""A source that does what its items say, for the tests of the process that runs it.

tone:FRAMES            frames that count up
slow:FRAMES            the same, in blocks of 480
crash, crash:FRAMES    dies like a decoder, at once or after so many frames
hang:FRAMES            stops producing after so many frames
raise, give-up         raise an exception, or SourceError
shape                  yields something that isn't PCM
print                  prints to stdout
"""

import os
import signal
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from storagebox.sources.events import Skipped, Track
from storagebox.sources.serving import run
from storagebox.sources.source import Rendered, Source, SourceError

BLOCK = 480


def counting(start: int, count: int) -> np.ndarray:
    numbers = np.arange(start, start + count)
    return np.stack([numbers, -numbers], axis=1).astype(np.int16)


class OddSource(Source):
    def warm_up(self) -> None:
        marker = os.environ.get("ODD_SOURCE_FAILS_TO_START")
        if marker and Path(marker).exists():
            raise RuntimeError("no sound card")
        marker = os.environ.get("ODD_SOURCE_STARTS_SLOWLY")
        if marker and Path(marker).exists():
            time.sleep(float(Path(marker).read_text()))

    def expand(self, requested: Sequence[str]) -> Iterable[str | Skipped]:
        if requested == ["nothing"]:
            raise SourceError("nothing to play: here is why")
        if requested == ["mute"]:
            time.sleep(60)
        if requested == ["broken"]:
            raise ValueError("oops")
        return [Skipped(each, "is bad") if each == "bad" else each for each in requested]

    def render(self, items: Iterable[str]) -> Iterator[Rendered]:
        frame = 0
        for item in items:
            kind, _, count = item.partition(":")
            yield Track(item, title=kind)
            for start in range(0, int(count or 0), BLOCK):
                block = counting(frame + start, min(BLOCK, int(count) - start))
                yield block
            frame += int(count or 0)
            match kind:
                case "crash":
                    os.kill(os.getpid(), signal.SIGSEGV)
                case "hang":
                    time.sleep(60)
                case "raise":
                    raise ZeroDivisionError("by nothing")
                case "give-up":
                    raise SourceError("the station is gone")
                case "shape":
                    yield np.zeros(5)  # type: ignore[misc]
                case "print":
                    print("a library chatters")


if __name__ == "__main__":
    run(OddSource)
