"""Runs firmware with every sum, product and shift watched: does it fit a board's small integer?

A chip's small integers have 31 bits. Whatever is larger is an object on the heap, which costs time
at once and a collection later; MicroPython's unix port has 63 bits and CPython has no end, so
neither notices. Here the modules of `phantom` are imported afresh with the result of every
arithmetic operation handed to a watcher, intermediate results included.
"""

from __future__ import annotations

import ast
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from phantom import dsp

_PACKAGE = Path(dsp.__file__).parent
_UNWATCHED = ("phantom.dsp", "phantom.port")  # machine code, checked as such; what PCs have
_LIMIT = 1 << 30


class Watcher:
    """Which places of the firmware computed what no small integer holds.

    large: (module, function) to the largest value and its line.
    """

    def __init__(self) -> None:
        self.large: dict[tuple[str, str], tuple[int, int]] = {}
        self.looked_at = 0

    def see(self, value: object, module: str, function: str, line: int) -> object:
        self.looked_at += 1
        if type(value) is int and not -_LIMIT <= value < _LIMIT:
            place = (module, function)
            if abs(value) > abs(self.large.get(place, (0, 0))[0]):
                self.large[place] = (value, line)
        return value


class _Watched(ast.NodeTransformer):
    """Hands the result of each operation on numbers to `_see`."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._function: list[str] = []

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._inside(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._inside(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._inside(node)

    def _inside(self, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        self._function.append(node.name)
        self.generic_visit(node)
        self._function.pop()
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        return self._seen(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        return node if isinstance(node.op, ast.Not) else self._seen(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> list[ast.stmt]:
        # The target is read once more, which in this firmware has no effect of its own.
        self.generic_visit(node)
        read = ast.parse(ast.unparse(node.target), mode="eval").body
        return [node, ast.copy_location(ast.Expr(self._seen(read, node.lineno)), node)]

    def _seen(self, node: ast.expr, line: int | None = None) -> ast.Call:
        place = [self._module, ".".join(self._function), line or node.lineno]
        return ast.Call(ast.Name("_see", ast.Load()), [node, *map(ast.Constant, place)], [])


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not fullname.startswith("phantom.") or fullname.startswith(_UNWATCHED):
            return None
        file = _PACKAGE.joinpath(*fullname.split(".")[1:])
        package = file.is_dir()
        file = file / "__init__.py" if package else file.with_suffix(".py")
        locations = [str(file.parent)] if package else None
        return importlib.util.spec_from_file_location(
            fullname, file, loader=self, submodule_search_locations=locations
        )

    def exec_module(self, module: ModuleType) -> None:
        assert module.__file__ is not None
        tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
        tree = ast.fix_missing_locations(_Watched(module.__name__).visit(tree))
        module.__dict__["_see"] = self._watcher.see
        exec(compile(tree, module.__file__, "exec"), module.__dict__)


@contextmanager
def watched(*names: str) -> Iterator[tuple[Watcher, list[ModuleType]]]:
    """For a block: the named test modules, over firmware that is watched."""

    def concerned(name: str) -> bool:
        return name.split(".")[0] == "phantom" or name.startswith("tests.firmware.")

    kept = {name: sys.modules.pop(name) for name in list(sys.modules) if concerned(name)}
    watcher = Watcher()
    finder = _Finder(watcher)
    sys.meta_path.insert(0, finder)
    try:
        yield watcher, [importlib.import_module(f"tests.firmware.{name}") for name in names]
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if concerned(name)]:
            del sys.modules[name]
        sys.modules.update(kept)
