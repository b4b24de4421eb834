"""Draws by weight in constant time: Walker's alias table, built by Vose's method.

Each of n equal columns holds at most two items, so one number drawn chooses the column and, by its
fraction, the item. (M. D. Vose, "A linear algorithm for generating random numbers with a given
distribution", IEEE TSE 17(9), 1991.)
"""

from collections.abc import Callable, Sequence


class AliasTable:
    """Draws 0 to n - 1, each as often as its weight says; O(n) to build, O(1) to draw."""

    __slots__ = ("_alias", "_keep", "_n", "_random")

    def __init__(self, weights: Sequence[float], random: Callable[[], float]) -> None:
        """
        Args:
            weights: 0 or more; at least one above 0.
            random: uniform over [0, 1).
        """
        self._random = random
        n = self._n = len(weights)
        scale = n / sum(weights)
        left = [weight * scale for weight in weights]
        heaviest = max(range(n), key=left.__getitem__)
        self._keep = [1.0] * n
        self._alias = [heaviest] * n
        small = [i for i in range(n) if left[i] < 1.0]
        large = [i for i in range(n) if left[i] >= 1.0]
        while small and large:
            i, j = small.pop(), large[-1]
            self._keep[i], self._alias[i] = left[i], j
            left[j] -= 1.0 - left[i]
            if left[j] < 1.0:
                small.append(large.pop())
        for i in small:  # full but for rounding, unless it weighs nothing
            if weights[i] == 0:
                self._keep[i] = 0.0

    def draw(self) -> int:
        """An index."""
        x = self._random() * self._n
        i = int(x)
        return i if x - i < self._keep[i] else self._alias[i]
