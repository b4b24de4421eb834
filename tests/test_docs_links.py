"""What the documentation points to is there: pages, headings, files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.conftest import ROOT

SOURCES = ("boards", "docs", "firmware", "host", "tests", "tools", "typings")
_FOLDERS = tuple(f"{folder}/" for folder in SOURCES)
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("boards/**/*.md")])
# Without capitals: those stand for what is to be filled in.
_PATH = re.compile(r"[a-z0-9_.-]+(/[a-z0-9_.-]+)*/?")
_FILE = re.compile(r"\w\.(md|py|pyi|svg|toml)$")
_OTHERS = {"inisetup.py"}  # MicroPython's
_MENTION = re.compile(r"\bdocs/[\w-]+\.md(?:#[\w-]+)?")


@cache
def _tokens(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))


def _inline(page: Path) -> Iterator[Token]:
    for token in _tokens(page):
        yield from token.children or ()


@cache
def headings(page: Path) -> frozenset[str]:
    """The anchors of a page, as GitHub names them: small, without punctuation, `-` for a space."""
    tokens = _tokens(page)
    found: list[str] = []
    seen: Counter[str] = Counter()
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            text = "".join(child.content for child in inline.children or ())
            slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            found.append(f"{slug}-{seen[slug]}" if seen[slug] else slug)
            seen[slug] += 1
    return frozenset(found)


@cache
def _files() -> frozenset[str]:
    """Each file of the repository by each end of its path: a/b/c.py, b/c.py, c.py; folders too."""
    found: set[str] = set()
    for folder in SOURCES:
        for path in (ROOT / folder, *(ROOT / folder).rglob("*")):
            parts = path.relative_to(ROOT).parts
            if "__pycache__" not in parts:
                found.update("/".join(parts[at:]) for at in range(len(parts)))
    return frozenset(found | {path.name for path in ROOT.iterdir()})


def _fault(target: str, base: Path) -> str | None:
    """What is wrong with a relative link, seen from a folder."""
    name, _, anchor = target.partition("#")
    path = (base / name).resolve()
    if not path.exists():
        return f"{target}: no such file"
    if anchor and anchor not in headings(path):
        return f"{target}: no such heading"
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    faults: list[str | None] = []
    for token in _inline(page):
        target = str(token.attrGet("href") or token.attrGet("src") or "")
        if target and not re.match(r"[a-z]+:", target):
            faults.append(_fault(target if target[0] != "#" else page.name + target, page.parent))
    assert [fault for fault in faults if fault] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    named = [token.content for token in _inline(page) if token.type == "code_inline"]
    paths = {name.rstrip("/") for name in named if _PATH.fullmatch(name)}
    ours = {path for path in paths if _FILE.search(path) or path.startswith(_FOLDERS)}
    assert sorted(ours - _files() - _OTHERS) == []


def test_every_page_that_sources_mention_exists() -> None:
    faults: list[str] = []
    for folder in SOURCES:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".pyi", ".toml", ".md") and path.is_file():
                for mention in _MENTION.findall(path.read_text(encoding="utf-8")):
                    if fault := _fault(mention, ROOT):
                        faults.append(f"{path.relative_to(ROOT)}: {fault}")
    assert faults == []
