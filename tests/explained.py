"""Rewrites the asserts of a portable test so that MicroPython says what the values were.

MicroPython's own AssertionError names a line and nothing else. Each compared or tested operand is
kept under a name as it is evaluated (`assert a == b` becomes `assert (_e0 := a) == (_e1 := b)`),
and the message tells those names' values. Nothing is evaluated twice, and no line moves, so a
traceback still points into the file as it was written.
"""

import ast
from collections.abc import Iterator


def explain(source: str) -> str:
    """`source` with asserts that tell their operands through `tests.portable.explain`."""
    text = source.encode()
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def span(node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return (
            starts[node.lineno - 1] + node.col_offset,
            starts[node.end_lineno - 1] + node.end_col_offset,
        )

    insertions: list[tuple[int, int, str]] = []  # (place, order among equals, text)
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Assert):
            continue
        operands = list(_operands(node.test))
        names = [f"_e{number}" for number in range(len(operands))]
        if not operands:
            continue
        told = []
        for name, operand in zip(names, operands, strict=True):
            start, stop = span(operand)
            insertions += [(start, 1, f"({name} := "), (stop, 0, ")")]
            told.append(f"({text[start:stop].decode()!r}, {name}), ")
        begin, end = span(node)
        insertions.append((begin, 0, f"{' = '.join(names)} = _unseen; "))
        call = f"_explain({''.join(told)}"
        if node.msg is None:
            insertions.append((end, 2, f", {call})"))
        else:
            start, stop = span(node.msg)
            insertions += [(start, 1, f"{call}said="), (stop, 2, ")")]
    for place, _, inserted in sorted(insertions, reverse=True):
        text = text[:place] + inserted.encode() + text[place:]
    return text.decode()


def _operands(test: ast.expr) -> Iterator[ast.expr]:
    if isinstance(test, ast.BoolOp):
        for value in test.values:
            yield from _operands(value)
    elif isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        yield from _operands(test.operand)
    elif isinstance(test, ast.Compare):
        for operand in (test.left, *test.comparators):
            if not isinstance(operand, ast.Constant):
                yield operand
    elif isinstance(test, ast.Call):
        for argument in test.args:
            if not isinstance(argument, ast.Constant | ast.Starred | ast.GeneratorExp):
                yield argument
    elif not isinstance(test, ast.Constant):
        yield test
