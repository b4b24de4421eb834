"""A source's process: takes orders on stdin, answers on stdout, writes PCM into the ring.

Lines of JSON. The box says

    {"play": [item, …], "generation": g, "first_item": 0, "first_frame": 0, "start_frame": 0}
    {"stop": true}                                         (after a flush of the ring)

and hears, besides what `events` lists,

    {"event": "ready"}                                     after warm-up
    {"event": "accepted", "generation": g}                 or
    {"event": "refused", "generation": g, "reason": …}     for each play
    {"event": "opening", "generation": g, "index": i, "path": …, "frame": f}

`first_item` leaves out that many items without opening them, `first_frame` is the number of the
first rendered frame, and frames before number `start_frame` are rendered but not put into the
ring: with these three a session starts, or is taken up again, at any frame, sample-exact.

The end of stdin ends the process at once, whatever it is doing: it never outlives its box.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from .events import Ended, Event, Failed, Skipped, Track, to_message
from .ring import PcmRing, StaleGenerationError
from .source import Source, SourceError

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def run(source: type[Source]) -> None:
    """The main function of a source's module: serves until the box closes stdin."""
    parser = argparse.ArgumentParser(description=source.__doc__)
    parser.add_argument("--ring", type=int, required=True, help="file descriptor of the PCM ring")
    arguments = parser.parse_args()
    # Ctrl-C reaches the whole foreground group; the box ends its sources in its own good time.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Should the box die while this process hangs where no Python thread runs.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # stdout belongs to the protocol: what the source's libraries print there goes to stderr.
    answers = os.dup(1)
    os.dup2(2, 1)
    try:
        Serving(source(), PcmRing.attach(arguments.ring), answers).serve()
    except BaseException:
        traceback.print_exc()
        os._exit(1)  # an orderly end would wait for the thread that reads stdin


class Serving:
    """Carries out orders, one at a time, with one source and one ring."""

    def __init__(self, source: Source, ring: PcmRing, answers: int) -> None:
        """`answers` is the file descriptor that events are written to."""
        self._source = source
        self._ring = ring
        self._answers = answers
        self._orders: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._ordered = threading.Event()
        # Of the session being played
        self._generation = 0
        self._frame = 0
        self._start_frame = 0
        self._item = ""

    def serve(self) -> None:
        """Serves until stdin ends, and then ends the process."""
        threading.Thread(target=self._take_orders, daemon=True).start()
        self._source.warm_up()
        self._say({"event": "ready"})
        while True:
            order = self._orders.get()
            if "play" in order:
                self._play(order)

    def _take_orders(self) -> None:
        for line in sys.stdin.buffer:
            self._orders.put(json.loads(line))
            self._ordered.set()
        try:
            self._source.close()
        finally:
            os._exit(0)  # the other thread may be anywhere, even in a decoder that hangs

    def _play(self, order: dict[str, Any]) -> None:
        self._generation = order["generation"]
        self._frame = order["first_frame"]
        self._start_frame = order["start_frame"]
        try:
            items = iter(self._source.expand(order["play"]))
        except SourceError as error:
            self._answer("refused", reason=str(error))
            return
        except Exception as error:
            traceback.print_exc()
            self._answer("refused", reason=_describe(error))
            return
        self._answer("accepted")
        try:
            if self._ring.generation != self._generation:
                self._ring.begin(self._generation)
            self._render(self._openings(items, order["first_item"]))
            self._report(Ended(self._frame))
            self._ring.end()
        except StaleGenerationError:
            pass  # the box wants something else, and has said what
        except SourceError as error:
            self._report(Failed(str(error)))
            self._ring.end()

    def _openings(self, items: Iterator[str | Skipped], first_item: int) -> Iterator[str]:
        """The items to be rendered, each announced as the source takes it."""
        for index, item in enumerate(items):
            if index < first_item:
                continue
            if isinstance(item, Skipped):
                self._report(item)
                continue
            self._item = item
            self._answer("opening", index=index, path=item, frame=self._frame)
            yield item

    def _render(self, items: Iterator[str]) -> None:
        while True:
            try:
                self._put_all(items)
                return
            except (StaleGenerationError, SourceError):
                raise
            except Exception as error:
                traceback.print_exc()
                if not self._item:
                    raise SourceError(_describe(error)) from error
                self._report(Skipped(self._item, _describe(error)))
                self._item = ""  # a source that fails without taking another has no excuse

    def _put_all(self, items: Iterable[str]) -> None:
        rendering = self._source.render(items)
        try:
            for rendered in rendering:
                if isinstance(rendered, np.ndarray):
                    self._put(rendered)
                elif isinstance(rendered, Track):
                    self._answer_track(rendered)
                else:
                    self._report(rendered)
        finally:
            close = getattr(rendering, "close", None)
            if close is not None:
                close()

    def _put(self, frames: np.ndarray[Any, Any]) -> None:
        if frames.dtype != np.int16 or frames.ndim != 2 or frames.shape[1] != 2:
            found = f"{frames.dtype} of shape {frames.shape}"
            raise SourceError(f"the source rendered {found}: yield int16 of shape (frames, 2)")
        early = min(max(self._start_frame - self._frame, 0), len(frames))
        if self._ring.wanted != self._generation:
            raise StaleGenerationError  # also while all is early and nothing is written
        self._ring.write(frames[early:], wait=self._wait)
        self._frame += len(frames)

    def _wait(self, seconds: float) -> None:
        if self._ordered.wait(seconds):
            self._ordered.clear()

    def _answer_track(self, track: Track) -> None:
        message = to_message(track)
        message["first_frame"] = self._frame
        self._say({**message, "generation": self._generation})

    def _report(self, event: Event) -> None:
        self._say({**to_message(event), "generation": self._generation})

    def _answer(self, event: str, **fields: Any) -> None:
        self._say({"event": event, "generation": self._generation, **fields})

    def _say(self, message: dict[str, Any]) -> None:
        line = json.dumps(message).encode() + b"\n"
        while line:
            line = line[os.write(self._answers, line) :]


def _describe(error: Exception) -> str:
    return f"the source has a fault ({type(error).__name__}: {error})"
