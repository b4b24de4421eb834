"""Kinds of parameters: what values are right, how text stands for them, what they mean inside.

Each kind turns a JSON value into the value that Settings and Query hold, or says what is wrong.
Parameters in a query string arrive as text; `from_text` makes of it the JSON value it stands for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn, cast

import orjson

from storagebox.search.language import compounds
from storagebox.search.language.errors import LanguageError
from storagebox.search.language.languages import LANGUAGES

MAX_INTEGER = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Kind:
    """`expected` says in words which JSON values `check(name, value)` makes inner ones of."""

    expected: str
    check: Callable[[str, object], object]
    from_text: Callable[[str], object]


def refuse(name: str, expected: str) -> NoReturn:
    """Say that a parameter has a value of the wrong kind."""
    raise LanguageError(f'Invalid value for "{name}" parameter, expected {expected}')


def json_or_text(text: str) -> object:
    """What text in a query string stands for: JSON if it looks like it, else itself."""
    if text[:1] in ("[", "{"):
        try:
            return cast(object, orjson.loads(text))
        except orjson.JSONDecodeError:
            pass
    return text


def _text_of(text: str) -> object:
    return text


def _text() -> Kind:
    def check(name: str, value: object) -> str:
        if not isinstance(value, str):
            refuse(name, expected)
        return value

    expected = "a string"
    return Kind(expected, check, _text_of)


def short_text(max_bytes: int) -> Kind:
    """A string of fewer than `max_bytes` bytes of UTF-8."""

    def check(name: str, value: object) -> str:
        if not isinstance(value, str) or len(value.encode(errors="surrogatepass")) > max_bytes:
            refuse(name, expected)
        return value

    expected = f"string shorter than {max_bytes} bytes"
    return Kind(expected, check, _text_of)


def _boolean_of(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    if value in (0, 1):
        return value == 1
    if isinstance(value, str):
        return {"true": True, "1": True, "false": False, "0": False}.get(value.lower())
    return None


def _boolean() -> Kind:
    def check(name: str, value: object) -> bool:
        found = _boolean_of(value)
        if found is None:
            refuse(name, expected)
        return found

    expected = "a boolean"
    return Kind(expected, check, _text_of)


def _integer_of(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and len(value) < 20:
        digits = value[1:] if value[:1] == "-" else value
        if digits.isascii() and digits.isdigit():
            return int(value)
    return None


def integer(low: int, high: int = MAX_INTEGER) -> Kind:
    """A whole number from `low` to `high`, both included."""

    def check(name: str, value: object) -> int:
        found = _integer_of(value)
        if found is None or not low <= found <= high:
            refuse(name, expected)
        return found

    expected = f"integer between {low} and {high}"
    return Kind(expected, check, _text_of)


def choice(*values: str) -> Kind:
    """One of some words."""

    def check(name: str, value: object) -> str:
        if not isinstance(value, str) or value not in values:
            refuse(name, expected)
        return value

    expected = f"one of {', '.join(values)}"
    return Kind(expected, check, _text_of)


def _mode() -> Kind:
    def check(name: str, value: object) -> str:
        if value == "neuralSearch":
            raise LanguageError(
                f"{name}: neuralSearch is not enabled here: use keywordSearch", 402
            )
        return cast(str, words.check(name, value))

    words = choice("keywordSearch", "neuralSearch")
    return Kind(words.expected, check, _text_of)


def _strings_of(value: object) -> tuple[str, ...] | None:
    """A list of strings; a bare string is a list of what stands between its commas."""
    if isinstance(value, str):
        loaded = json_or_text(value)
        if isinstance(loaded, str):
            return tuple(each for each in (part.strip() for part in loaded.split(",")) if each)
        value = loaded
    if not isinstance(value, Sequence):
        return None
    items = cast("Sequence[object]", value)
    if not all(isinstance(each, str) for each in items):
        return None
    return tuple(cast("Sequence[str]", items))


def _strings() -> Kind:
    def check(name: str, value: object) -> tuple[str, ...]:
        found = _strings_of(value)
        if found is None:
            refuse(name, expected)
        return found

    expected = "an array of strings"
    return Kind(expected, check, json_or_text)


MAX_NAMED = 1000
"""Attributes that one parameter may name: every record or hit is gone through for each."""


def strings_as(parse: Callable[[Sequence[str]], object]) -> Kind:
    """Up to MAX_NAMED strings that `parse` makes something of, or raises LanguageError about."""

    def check(name: str, value: object) -> object:
        found = cast("tuple[str, ...]", STRINGS.check(name, value))
        if len(found) > MAX_NAMED:
            refuse(name, f"an array of at most {MAX_NAMED} strings")
        return parse(found)

    return Kind("an array of strings", check, json_or_text)


def _names(listed: Sequence[str]) -> tuple[str, ...]:
    """A name that comes twice counts once."""
    return tuple(dict.fromkeys(listed))


def choices(*values: str) -> Kind:
    """A list of some words."""

    def check(name: str, value: object) -> tuple[str, ...]:
        found = _strings_of(value)
        if found is None or any(each not in values for each in found):
            refuse(name, expected)
        return found

    expected = f"an array of {', '.join(values)}"
    return Kind(expected, check, json_or_text)


def _languages() -> Kind:
    def check(name: str, value: object) -> tuple[str, ...]:
        found = _strings_of(value)
        if found is None:
            refuse(name, expected)
        return _known_languages(name, found)

    expected = "an array of language codes"
    return Kind(expected, check, json_or_text)


def _known_languages(name: str, codes: Sequence[str]) -> tuple[str, ...]:
    lowered = tuple(each.lower() for each in codes)
    for code in lowered:
        if code not in LANGUAGES:
            refuse(name, f"language codes such as en or pt-br, and {code!r} is none")
    return lowered


def _languages_or_boolean() -> Kind:
    def check(name: str, value: object) -> bool | tuple[str, ...]:
        whether = _boolean_of(value)
        if whether is not None:
            return whether
        found = _strings_of(value)
        if found is None:
            refuse(name, expected)
        return _known_languages(name, found)

    expected = "a boolean or an array of language codes"
    return Kind(expected, check, json_or_text)


def _distinct() -> Kind:
    def check(name: str, value: object) -> int:
        whether = _boolean_of(value)
        found = int(whether) if whether is not None else _integer_of(value)
        if found is None or not 0 <= found <= 4:
            refuse(name, expected)
        return found

    expected = "a boolean or integer between 0 and 4"
    return Kind(expected, check, _text_of)


def _typo_tolerance() -> Kind:
    def check(name: str, value: object) -> str:
        whether = _boolean_of(value)
        if whether is not None:
            return "true" if whether else "false"
        if value not in ("min", "strict"):
            refuse(name, expected)
        return cast(str, value)

    expected = "true, false, min or strict"
    return Kind(expected, check, _text_of)


def _words() -> Kind:
    """`optionalWords`: a list whose entries may hold several words each, or one string of them."""

    def check(name: str, value: object) -> tuple[str, ...]:
        if isinstance(value, str) and isinstance(json_or_text(value), str):
            return (value,) if value.strip() else ()
        found = _strings_of(value)
        if found is None:
            refuse(name, expected)
        return found

    expected = "a string or an array of strings"
    return Kind(expected, check, json_or_text)


MAX_OBJECT_DEPTH = 32


def _is_shallow(value: object, depth: int = MAX_OBJECT_DEPTH) -> bool:
    if isinstance(value, Mapping):
        return depth > 0 and all(
            _is_shallow(each, depth - 1) for each in cast("Mapping[str, object]", value).values()
        )
    if isinstance(value, list):
        return depth > 0 and all(
            _is_shallow(each, depth - 1) for each in cast("list[object]", value)
        )
    return True


def json_bytes(value: object) -> float:
    """How long a value's compact JSON is; infinite if it has none (an integer over 64 bits)."""
    try:
        return len(orjson.dumps(value))
    except orjson.JSONEncodeError:
        return float("inf")


def json_object(max_bytes: int) -> Kind:
    """Any JSON object whose compact form takes at most `max_bytes`."""

    def check(name: str, value: object) -> object:
        if not isinstance(value, Mapping) or not _is_shallow(cast(object, value)):
            refuse(name, expected)
        if json_bytes(value) > max_bytes:
            refuse(name, f"an object of at most {max_bytes} bytes")
        return cast(object, value)

    expected = "an object"
    return Kind(expected, check, json_or_text)


def any_json(max_bytes: int) -> Kind:
    """Any JSON value whose compact form takes at most `max_bytes`."""

    def check(name: str, value: object) -> object:
        if not _is_shallow(value):
            refuse(name, f"at most {MAX_OBJECT_DEPTH} levels of nesting")
        if json_bytes(value) > max_bytes:
            refuse(name, f"at most {max_bytes} bytes")
        return value

    return Kind("any value", check, json_or_text)


def _filter_lists() -> Kind:
    """Old-style filters: strings, and lists of them in each other. `filter_lists` reads them."""

    def holds(value: object, depth: int) -> bool:
        if isinstance(value, list | tuple):
            return depth > 0 and all(
                holds(each, depth - 1) for each in cast("list[object]", value)
            )
        return isinstance(value, str)

    def check(name: str, value: object) -> object:
        if not holds(value, 2):
            refuse(name, expected)
        return value

    expected = "a string or an array of strings and arrays of strings"
    return Kind(expected, check, json_or_text)


def _normalization() -> Kind:
    """`customNormalization`: by name of a table, characters and what they are replaced by."""

    def check(name: str, value: object) -> object:
        if not isinstance(value, Mapping):
            refuse(name, expected)
        for table in cast("Mapping[str, object]", value).values():
            if not isinstance(table, Mapping) or not all(
                isinstance(each, str) for each in cast("Mapping[str, object]", table).values()
            ):
                refuse(name, expected)
        return cast(object, value)

    expected = 'an object such as {"default": {"ä": "ae"}}'
    return Kind(expected, check, json_or_text)


def _compounded() -> Kind:
    """`decompoundedAttributes`: by language, attributes whose compounds are taken apart."""

    def check(name: str, value: object) -> dict[str, tuple[str, ...]]:
        if not isinstance(value, Mapping):
            refuse(name, expected)
        found: dict[str, tuple[str, ...]] = {}
        for language, listed in cast("Mapping[str, object]", value).items():
            names = _strings_of(listed)
            if names is None or language.lower() not in compounds.LANGUAGES:
                refuse(name, expected)
            found[language.lower()] = names
        return found

    known = ", ".join(sorted(compounds.LANGUAGES))
    expected = f'an object such as {{"de": ["name"]}}, of the languages {known}'
    return Kind(expected, check, json_or_text)


MODE = _mode()
TEXT = _text()
BOOLEAN = _boolean()
STRINGS = _strings()
NAMES = strings_as(_names)
LANGUAGE_LIST = _languages()
LANGUAGES_OR_BOOLEAN = _languages_or_boolean()
DISTINCT = _distinct()
TYPO_TOLERANCE = _typo_tolerance()
WORDS = _words()
FILTER_LISTS = _filter_lists()
NORMALIZATION = _normalization()
COMPOUNDED = _compounded()
