"""Parts of a record in the record's own shape, with something shown in place of each text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

Show = Callable[[str], dict[str, Any]]
"""What stands for a text in a result: `value`, `matchLevel` and so on."""


def mirrored(
    record: Mapping[str, object],
    chosen: Iterable[tuple[str, Show]],
    *,
    only_matching: bool = False,
    hidden: Sequence[str] = (),
) -> dict[str, Any]:
    """The attributes chosen by their paths ("*" for all), each text shown as it says.

    Numbers are shown as text; what is neither text nor number is left out, and so is what is at a
    `hidden` path. With `only_matching`, elements of arrays in which nothing matches are left out.
    """
    result: dict[str, Any] = {}
    for path, show in chosen:
        if path != "*":
            value = record.get(path)
            if type(value) is str:
                result[path] = show(value)
            else:
                _put(result, record, path, show, only_matching)
            continue
        for name, value in record.items():
            if name != "objectID" and name not in result:
                shaped = _shaped(value, show, only_matching)
                if shaped is not None:
                    result[name] = shaped
    for path in hidden:
        _take_out(result, path)
    return result


def _take_out(result: object, path: str) -> None:
    """Remove what a result has at a path, in each element of an array on the way."""
    if isinstance(result, list):
        for each in cast("list[object]", result):
            _take_out(each, path)
    elif isinstance(result, dict):
        shown = cast("dict[str, object]", result)
        head, _, rest = path.partition(".")
        shown.pop(path, None)
        if rest and head in shown:
            _take_out(shown[head], rest)


def _put(
    result: dict[str, Any],
    record: Mapping[str, object],
    path: str,
    show: Show,
    only_matching: bool,
) -> None:
    """Show what is at a path, at the same path of `result`."""
    head, rest = path, ""
    if path not in record:
        head, _, rest = path.partition(".")
    value = record.get(head)
    if value is None:
        return
    if not rest:
        shaped = _shaped(value, show, only_matching)
        if shaped is not None:
            result[head] = shaped
    elif isinstance(value, Mapping):
        inner = result.setdefault(head, {})
        _put(inner, cast("Mapping[str, object]", value), rest, show, only_matching)
        if not inner:
            del result[head]
    elif isinstance(value, list):
        elements = cast("list[object]", value)
        into: list[Any] = result.setdefault(head, [{} for _ in elements])
        if len(into) != len(elements):
            return  # it is shown as a whole already, without what is no text in it
        for element, target in zip(elements, into, strict=True):
            if isinstance(element, Mapping) and isinstance(target, dict):
                _put(
                    cast("dict[str, Any]", target),
                    cast("Mapping[str, object]", element),
                    rest,
                    show,
                    only_matching,
                )


def _is_unmatched(shown: Any) -> bool:
    """Whether what is shown of an array's element is a text in which nothing matches."""
    return isinstance(shown, dict) and cast("dict[str, Any]", shown).get("matchLevel") == "none"


def _shaped(value: object, show: Show, only_matching: bool) -> Any:
    if isinstance(value, str):
        return show(value)
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return show(str(value))
    if isinstance(value, list):
        elements = [_shaped(each, show, only_matching) for each in cast("list[object]", value)]
        return [
            each
            for each in elements
            if each is not None and not (only_matching and _is_unmatched(each))
        ]
    if isinstance(value, Mapping):
        items = cast("Mapping[str, object]", value).items()
        return {
            name: each
            for name, inner in items
            if (each := _shaped(inner, show, only_matching)) is not None
        }
    return None
