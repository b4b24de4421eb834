"""What the pages on balancing name is there to be imported."""

import re
from importlib import import_module

import pytest

from tests.conftest import ROOT

PAGES = sorted(ROOT.glob("docs/balance*.md"))
NAMES = sorted(
    {
        name
        for page in PAGES
        for name in re.findall(r"\bstoragebox\.balance[\w.]*\w", page.read_text("utf-8"))
    }
)


def test_the_pages_name_what_there_is_to_import():
    assert len(NAMES) > 20


@pytest.mark.parametrize("name", NAMES)
def test_a_name_on_a_page_can_be_imported(name: str):
    try:
        import_module(name)
    except ModuleNotFoundError:
        module, _, attribute = name.rpartition(".")
        assert hasattr(import_module(module), attribute)
