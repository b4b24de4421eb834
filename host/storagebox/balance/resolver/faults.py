"""What is wrong with a registry's answers, told once each.

A registry that lists one bad entry lists it in every answer; a log that repeats it hides the rest.
"""

import logging
from collections.abc import Iterable

from storagebox.balance.endpoint import Endpoint


class Faults:
    """The faults of one source.

    Args:
        source: for people, "Consul's service search".
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._log = logging.getLogger("storagebox.balance.resolver")
        self._entries: frozenset[str] = frozenset()
        self._failing = ""

    def dropped(self, faults: Iterable[str]) -> None:
        """These entries of the latest answer were left out; those told before aren't repeated."""
        current = frozenset(faults)
        for fault in sorted(current - self._entries):
            self._log.warning("%s: an entry is left out: %s", self._source, fault)
        self._entries = current

    def failed(self, why: str, wait_s: float) -> None:
        """It couldn't be asked, or not understood; what it said last goes on to count."""
        if why != self._failing:
            self._log.warning(
                "%s: %s; the last answer goes on to count, and it is asked again in %.1f s",
                self._source,
                why,
                wait_s,
            )
        self._failing = why

    def answered(self) -> None:
        """It answers again."""
        if self._failing:
            self._log.info("%s answers again", self._source)
        self._failing = ""


Read = tuple[list[Endpoint], list[str]]
"""What an answer was read as: endpoints, and a sentence for each entry that was none."""
