"""How long to wait before a registry that failed is asked again."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double with each failure in a row, and scatter.

    Args:
        first_s: about how long after the first failure.
        max_s: about the longest. A minute: what was published last still serves meanwhile, and a
            registry that comes back isn't met by all its clients at once.
    """

    first_s: float = 1.0
    max_s: float = 60.0

    def wait_s(self, failures: int, random: Random) -> float:
        """The wait after so many failures in a row, 1 or more."""
        doubled_s = self.first_s * 2.0 ** min(max(failures, 1) - 1, 60)
        return jittered(min(self.max_s, doubled_s), random)


def jittered(mean_s: float, random: Random) -> float:
    """Anything from a half to one and a half of it (consul-templaterb: t/2 + rand(t))."""
    return mean_s / 2 + random.random() * mean_s
