"""The table of parameters against Algolia's own models, our classes and our documentation."""

from __future__ import annotations

import enum
import re
import typing
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest
from algoliasearch.search import models
from pydantic import BaseModel

from storagebox.search.language.kinds import Kind
from storagebox.search.language.languages import LANGUAGES
from storagebox.search.language.parameters import (
    BY_NAME,
    PARAMETERS,
    Parameter,
    State,
    Where,
    allowed,
)
from storagebox.search.language.query import FILTERS, Query
from storagebox.search.language.settings import Settings

DOCUMENT = Path(__file__).parents[3] / "docs" / "search-api.md"

# What may stand where, as the client's models have it.
MODELS = [
    (Where.SETTINGS, models.IndexSettings, set()),
    (Where.SEARCH, models.SearchParamsObject, {"params"}),
    (Where.SEARCH, models.SearchParamsString, None),
    (Where.BROWSE, models.BrowseParamsObject, set()),
    (Where.DELETE_BY, models.DeleteByParams, set()),
    (Where.RULE, models.ConsequenceParams, {"query"}),
    (Where.SECURED_KEY, models.SecuredApiKeyRestrictions, {"searchParams"}),
    (Where.FACET_SEARCH, models.SearchForFacetValuesRequest, {"params"}),
]


def _names(model: type[BaseModel]) -> set[str]:
    return {_alias(model)(name) for name in model.model_fields}


def _alias(model: type[BaseModel]) -> Callable[[str], str]:
    return typing.cast(Callable[[str], str], model.model_config["alias_generator"])


@pytest.mark.parametrize(("where", "model", "apart"), MODELS)
def test_the_table_has_what_the_client_can_send(
    where: Where, model: type[BaseModel], apart: set[str] | None
) -> None:
    ours = set(allowed(where))
    if apart is None:
        assert _names(model) <= ours
    else:
        assert ours ^ _names(model) <= apart


def test_requests_take_what_the_client_puts_beside_their_parameters() -> None:
    beside = _names(models.SearchForHits) | _names(models.SearchForFacets)
    beside -= _names(models.SearchParamsObject) | set(allowed(Where.FACET_SEARCH))
    beside |= _names(models.SearchMethodParams) - {"requests"}
    assert beside == set(allowed(Where.REQUEST))


def _choices(parameter: Parameter) -> set[str] | None:
    """The words that the client's model of a parameter allows, if it is an enumeration."""
    for model in (models.SearchParamsObject, models.IndexSettings):
        for name, field in model.model_fields.items():
            if _alias(model)(name) != parameter.name:
                continue
            for kind in typing.get_args(field.annotation):
                inside = typing.get_args(kind)
                kind = inside[0] if inside else kind
                if isinstance(kind, type) and issubclass(kind, enum.Enum):
                    return {str(each.value) for each in kind}
    return None


@pytest.mark.parametrize("parameter", PARAMETERS, ids=lambda each: each.name)
def test_words_to_choose_from_are_the_clients(parameter: Parameter) -> None:
    words = _choices(parameter)
    if words is None:
        return
    if parameter.name in ("queryLanguages", "indexLanguages", "naturalLanguages"):
        assert words == LANGUAGES
        return
    for word in words - {"neuralSearch"}:
        parameter.kind.check(parameter.name, word)
    with pytest.raises(ValueError, match=parameter.name):
        parameter.kind.check(parameter.name, "none of them")


def test_settings_and_queries_have_a_field_for_each_parameter() -> None:
    settings = {each.field for each in allowed(Where.SETTINGS).values()} | {
        "given",
        "dictionaries",
        "is_virtual",
    }
    assert {each.name for each in fields(Settings)} == settings
    places = (Where.SEARCH, Where.BROWSE, Where.FACET_SEARCH)
    asked = {each.field for place in places for each in allowed(place).values()}
    ours = {each.name for each in fields(Query)}
    assert asked - {BY_NAME[name].field for name in FILTERS} - {"params"} <= ours
    assert {"filters", "optional"} <= ours


def test_defaults_are_values_that_may_be_given() -> None:
    for parameter in PARAMETERS:
        assert isinstance(parameter.kind, Kind)
        if parameter.default is not None:
            assert parameter.initial == parameter.kind.check(parameter.name, parameter.default)


_PLACES = {
    Where.SETTINGS: "settings",
    Where.SEARCH: "search",
    Where.BROWSE: "browse",
    Where.RULE: "rules",
    Where.DELETE_BY: "deleteBy",
    Where.FACET_SEARCH: "facet search",
    Where.REQUEST: "one of several requests",
    Where.SECURED_KEY: "secured keys",
}


def _row(parameter: Parameter) -> str:
    """The parameter's line in the documentation's table."""
    places = [name for where, name in _PLACES.items() if where in parameter.where]
    default = parameter.default
    if isinstance(default, bool):
        shown = str(default).lower()
    elif isinstance(default, tuple):
        shown = ", ".join(default) or "[]"
    else:
        shown = "" if default is None else str(default) or '""'
    shown = f"`{shown}`" if shown else ""
    state = f"{parameter.state}: {parameter.note}" if parameter.note else str(parameter.state)
    return f"| `{parameter.name}` | {', '.join(places)} | {shown} | {state} |"


def test_the_documentation_lists_every_parameter_and_no_other() -> None:
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    start = lines.index("| parameter | where | default | state |") + 2
    listed = lines[start : start + len(PARAMETERS) + 1]
    assert listed == [*map(_row, sorted(PARAMETERS, key=lambda each: each.name.lower())), ""]


def test_what_is_ignored_says_why() -> None:
    for parameter in PARAMETERS:
        assert parameter.state is not State.IGNORED or parameter.note


def test_what_is_called_supported_is_read_by_something() -> None:
    """A field of Query or Settings, or a name in a request, outside where it is declared."""
    search = DOCUMENT.parents[1] / "host" / "storagebox" / "search"
    declared = {"parameters.py", "settings.py"}
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for path in search.rglob("*.py")
        if path.name not in declared
    )
    unread = [
        parameter.name
        for parameter in PARAMETERS
        if parameter.state is State.SUPPORTED
        and not re.search(rf'[."]{parameter.field}\b|"{parameter.name}"', code)
    ]
    assert not unread
