"""Draws how a board of the catalogue is wired: `python -m tools.wiring BOARD FILE.svg`.

One row a wire: the board's pin, the DAC's pin, what it is for.
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from xml.sax.saxutils import escape

from boards import catalogue
from boards.catalogue import Board, BoardError, Wire

_WIDTH = 900
_TOP = 74
_ROW = 46
_LEFT = (24, 196)  # the board's box, from x to x
_RIGHT = (396, 536)  # the DAC's
_TEXT_X = 556
_TEXT_CHARS = 46
_FONT = "font-family='DejaVu Sans, Verdana, sans-serif'"
_SIGNAL = ("#1f6fb2", "#b26a00", "#2d8a4e")  # bit clock, left/right clock, data
_GROUND = "#222222"
_SUPPLY = "#c02626"
_OPEN = "#888888"


def draw(board: Board) -> str:
    """The drawing, as SVG."""
    signals = [f"GPIO{pin}" for pin in (board.dac.sck, board.dac.ws, board.dac.sd)]
    height = _TOP + _ROW * len(board.wiring) + 66
    parts = [
        (
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_WIDTH} {height}' "
            f"width='{_WIDTH}' height='{height}'>"
        ),
        f"<title>{escape(board.title)}: wiring</title>",
        f"<rect width='{_WIDTH}' height='{height}' fill='#ffffff'/>",
        _text(24, 30, board.title, size=18, weight="bold"),
        _box(*_LEFT, len(board.wiring), board.chip.title),
        _box(*_RIGHT, len(board.wiring), board.dac.part),
    ]
    for row, wire in enumerate(board.wiring):
        parts += _row(_TOP + _ROW * row + _ROW // 2, wire, signals)
    bottom = _TOP + _ROW * len(board.wiring) + 42
    parts.append(_text(24, bottom, f"Output: {board.output}."))
    return "\n".join([*parts, "</svg>", ""])


def _box(x: int, to: int, rows: int, title: str) -> str:
    return (
        f"<rect x='{x}' y='{_TOP - 24}' width='{to - x}' height='{_ROW * rows + 30}' rx='8' "
        f"fill='#f3f5f7' stroke='#55606a' stroke-width='1.5'/>"
        + _text((x + to) // 2, _TOP - 5, title, anchor="middle", weight="bold")
    )


def _row(y: int, wire: Wire, signals: list[str]) -> list[str]:
    from_x, to_x = _LEFT[1], _RIGHT[0]
    colour = _colour(wire.board, signals)
    purpose = textwrap.wrap(wire.purpose, _TEXT_CHARS)
    first_y = y + 5 - 8 * (len(purpose) - 1)
    parts = [
        _text(to_x + 14, y + 5, wire.part, weight="bold"),
        *(
            _text(_TEXT_X, first_y + 16 * line, text, size=13, colour="#333333")
            for line, text in enumerate(purpose)
        ),
        f"<circle cx='{to_x}' cy='{y}' r='4' fill='{colour}'/>",
    ]
    if wire.board == "open":
        return [
            *parts,
            (
                f"<path d='M{to_x - 46} {y}H{to_x}' stroke='{colour}' stroke-width='2.5' "
                "stroke-dasharray='5 4'/>"
            ),
            _text(to_x - 54, y + 5, "not connected", size=13, anchor="end", colour=colour),
        ]
    return [
        *parts,
        _text(from_x - 14, y + 5, wire.board, anchor="end", weight="bold"),
        f"<path d='M{from_x} {y}H{to_x}' stroke='{colour}' stroke-width='3'/>",
        f"<circle cx='{from_x}' cy='{y}' r='4' fill='{colour}'/>",
    ]


def _colour(pin: str, signals: list[str]) -> str:
    if pin in signals:
        return _SIGNAL[signals.index(pin)]
    return {"GND": _GROUND, "open": _OPEN}.get(pin, _SUPPLY)


def _text(
    x: int,
    y: int,
    text: str,
    *,
    size: int = 15,
    anchor: str = "start",
    weight: str = "normal",
    colour: str = "#111111",
) -> str:
    return (
        f"<text x='{x}' y='{y}' {_FONT} font-size='{size}' font-weight='{weight}' "
        f"text-anchor='{anchor}' fill='{colour}'>{escape(text)}</text>"
    )


def main(arguments: list[str]) -> int:
    """Draw a board's wiring into a file. Returns the exit status."""
    if len(arguments) != 2:
        print("usage: python -m tools.wiring BOARD FILE.svg", file=sys.stderr)
        return 2
    name, path = arguments
    try:
        board = catalogue.board(name)
        if not board.wiring:
            raise BoardError(f"{name} has no [[wire]]: there is nothing to wire on it")
        Path(path).write_text(draw(board), encoding="utf-8")
    except (BoardError, OSError) as error:
        print(f"wiring: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
