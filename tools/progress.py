"""What set-up shows while it works: a line a step, alive on a terminal, plain in a log."""

import shutil
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TextIO

# In a log, a step that takes long says so this often: silence looks like a hang.
_REASSURE_S = 10.0
_LIVE_S = 0.2
_TITLE_WIDTH = 32


class Step:
    """One step in progress: `say` tells what it is at; `detail` is shown when it is done."""

    def __init__(self, title: str, out: TextIO) -> None:
        self.detail = ""
        self._title = title
        self._doing = ""
        self._out = out
        self._live = out.isatty()
        self._began = time.monotonic()
        self._write(self._line("…") if self._live else f"  {title} …\n")
        self._over = threading.Event()
        self._ticker = threading.Thread(target=self._tick, daemon=True)
        self._ticker.start()

    def say(self, doing: str) -> None:
        """What the step is doing now, in a few words; shown at the next tick."""
        self._doing = doing

    def end(self, mark: str) -> None:
        """The step's last line."""
        self._over.set()
        self._ticker.join()
        line = self._line(f"{mark} {self._elapsed()}  {self.detail}".rstrip())
        self._write(("\r\x1b[K" if self._live else "") + line + "\n")

    def _tick(self) -> None:
        while not self._over.wait(_LIVE_S if self._live else _REASSURE_S):
            if self._live:
                self._write("\r\x1b[K" + self._line(f"{self._elapsed()}  {self._doing}"))
            else:
                self._write(f"    {self._doing or 'still at it'} ({self._elapsed()})\n")

    def _line(self, rest: str) -> str:
        """One line that the terminal doesn't wrap: a wrapped one couldn't be written over."""
        return f"  {self._title:<{_TITLE_WIDTH}} {rest}"[: shutil.get_terminal_size().columns - 1]

    def _elapsed(self) -> str:
        return f"{time.monotonic() - self._began:.1f} s"

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


class Progress:
    """The steps on standard output, and everything the tools said in a log file."""

    def __init__(self, log_path: Path, out: TextIO | None = None) -> None:
        self.log_path = log_path
        self._out = out or sys.stdout
        self._log = log_path.open("w", encoding="utf-8", errors="replace")
        self._step: Step | None = None

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._log.close()

    def log(self, text: str) -> None:
        """Keep for whoever has to find out what went wrong."""
        self._log.write(text.rstrip("\n") + "\n")
        self._log.flush()

    def say(self, doing: str) -> None:
        """To the step at work, if any."""
        if self._step:
            self._step.say(doing)

    @contextmanager
    def step(self, title: str) -> Generator[Step, None, None]:
        """Show a step from its start to its end, whichever way it ends."""
        self._step = step = Step(title, self._out)
        self.log(f"== {title}")
        try:
            yield step
        except BaseException:
            step.detail = ""
            step.end("failed after")
            raise
        finally:
            self._step = None
        step.end("done in")
