"""Command lines whose every mistake is one line on stderr and exit status 2."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

BAD_INPUT = 2


class Parser(argparse.ArgumentParser):
    """An ArgumentParser without the paragraph of usage before each complaint."""

    def error(self, message: str) -> NoReturn:
        """Ends the program: one line, exit status 2."""
        print(f"{self.prog}: {message}; see {self.prog} --help", file=sys.stderr)
        raise SystemExit(BAD_INPUT)


def seconds(text: str) -> float:
    """A duration that can be played."""
    return _number(text, 1.0, 86_400.0, "seconds")


def ppm(text: str) -> float:
    """A crystal's error that a board may have."""
    return _number(text, 0.0, 100.0, "parts per million")


def loopback(text: str) -> str:
    """The first three numbers of loopback addresses, as in 127.77.0."""
    numbers = text.split(".")
    if len(numbers) != 3 or numbers[0] != "127" or not all(_is_byte(part) for part in numbers):
        raise argparse.ArgumentTypeError(f"{text!r} is not like 127.77.0")
    return text


def _is_byte(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) < 256


def _number(text: str, least: float, most: float, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of {what}, {least:g} to {most:g}")
    return value


def count(text: str) -> int:
    """How many of something."""
    value = _number(text, 1, 10_000, "times")
    if value != int(value):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
    return int(value)
