"""`phantom search import`, `export`, `query` and `bench`: what is in an index."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from . import search_target as target
from .ask import show_json
from .ending import FAILED, fail, interrupted
from .options import Json
from .search import search
from .search_reading import Format

if TYPE_CHECKING:
    from .search_import import Import

IndexName = Annotated[str, typer.Argument(metavar="INDEX", help="The index's name.")]


@search.command("import")
@target.asks
def import_(
    index: IndexName,
    files: Annotated[
        list[str], typer.Argument(help="JSON, a JSON object a line, or CSV; .gz too; - is stdin.")
    ],
    form: Annotated[
        Format | None,
        typer.Option("--format", help="How they are written.", show_default="by their beginning"),
    ] = None,
    identify: Annotated[
        str, typer.Option("--id", help="The attribute that identifies a record.")
    ] = "objectID",
    text: Annotated[
        list[str] | None,
        typer.Option("--text", help="A column of CSV that stays text; may be repeated."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Instead of what is in it, at one instant.")
    ] = False,
    wait: Annotated[bool, typer.Option(help="Until all can be found.")] = True,
    as_json: Json = False,
    *,
    where: target.Where,
) -> None:
    """Put records of files into an index. Bad rows are named by line; the rest goes on."""
    from .search_client import SearchFault
    from .search_import import Importing
    from .search_progress import TransferProgress
    from .search_reading import Unreadable, opened, rows

    progress = TransferProgress(index, _total(files))
    broken: list[str] = []
    with where.client() as api:
        importing = Importing(api, index, progress.fault, identify)

        def counted(found: Iterator[Any]) -> Iterator[Any]:
            for row in found:
                progress.count(importing.result.taken)
                yield row

        def add(name: str) -> None:
            try:
                with opened(name, progress.read) as file:
                    importing.add(name, counted(rows(file, name, form, text or ())))
            except Unreadable as fault:
                reason = str(fault)
                broken.append(reason if reason.startswith(name) else f"{name}: {reason}")
                progress.fault(broken[-1])

        try:
            with importing.replacing() if replace else nullcontext():
                for name in files:
                    add(name)
                if replace and broken:
                    progress.end()
                    fail(f"search import: {index} stays as it was", FAILED)
                importing.flush()
            if wait:
                importing.wait()
        except (SearchFault, KeyboardInterrupt) as fault:
            progress.end()
            state = _left(index, importing.result, replace=replace)
            if isinstance(fault, KeyboardInterrupt):
                interrupted(f"search import: interrupted: {state}")
            fail(f"search import: {fault} ({state})", FAILED)
    progress.end()
    _show_import(index, importing.result, broken, progress.seconds, as_json=as_json)
    if importing.result.bad or broken:
        raise typer.Exit(FAILED)


@search.command("export")
@target.asks
def export(
    index: IndexName,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file.", show_default="stdout")
    ] = None,
    filters: Annotated[str, typer.Option(help="Only what matches, such as `year > 1977`.")] = "",
    attributes: Annotated[
        list[str] | None,
        typer.Option("--attribute", help="Only these; may be repeated. -NAME: all but that."),
    ] = None,
    *,
    where: target.Where,
    library: target.Library = False,
) -> None:
    """Write an index's records, a JSON object a line."""
    import orjson

    from .search_client import SearchFault
    from .search_progress import TransferProgress

    params: dict[str, Any] = {"filters": filters} if filters else {}
    if attributes:
        wanted = (
            attributes if any(not a.startswith("-") for a in attributes) else ["*", *attributes]
        )
        params["attributesToRetrieve"] = wanted
    progress = TransferProgress(index)
    count = 0
    api = where.client(library=library)
    try:
        with api, _written(output) as out:
            for count, record in enumerate(api.browse(index, params), 1):
                out.write(orjson.dumps(record) + b"\n")
                progress.count(count)
    except SearchFault as fault:
        progress.end()
        fail(f"search export: {fault}", FAILED)
    except BrokenPipeError:  # such as of `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    except OSError as fault:
        progress.end()
        fail(f"search export: {output or 'stdout'}: {fault.strerror}", FAILED)
    progress.end()
    if output is not None:
        print(f"{count:,} records in {output}, {progress.seconds:.1f} s")


@search.command("query")
@target.asks
def query(
    index: IndexName,
    words: Annotated[
        list[str] | None, typer.Argument(help="What a person types; without, everything.")
    ] = None,
    filters: Annotated[str, typer.Option(help="Such as `year > 1977 AND genre:Rock`.")] = "",
    facets: Annotated[
        list[str] | None, typer.Option("--facet", help="Count its values; may be repeated.")
    ] = None,
    show: Annotated[
        list[str] | None,
        typer.Option("--show", help="A column; may be repeated.", show_default="what matched"),
    ] = None,
    limit: Annotated[int, typer.Option(help="How many are shown.", min=0, max=1000)] = 10,
    page: Annotated[int, typer.Option(help="Which page, from 1.", min=1)] = 1,
    param: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", help="Any other parameter, as NAME=JSON or NAME=TEXT."),
    ] = None,
    explain: Annotated[bool, typer.Option(help="How each was ranked, and who answered.")] = False,
    as_json: Json = False,
    *,
    where: target.Where,
    library: target.Library = False,
) -> None:
    """Ask an index, and show what it finds."""
    from . import search_table, tables
    from .search_client import SearchFault

    asked: dict[str, Any] = {
        "indexName": index,
        "query": " ".join(words or ()),
        "hitsPerPage": limit,
        "page": page - 1,
        **({"filters": filters} if filters else {}),
        **({"facets": facets} if facets else {}),
        **({"getRankingInfo": True} if explain else {}),
        **_parameters(param or ()),
    }
    if not as_json:
        asked |= {"highlightPreTag": search_table.BEFORE, "highlightPostTag": search_table.AFTER}
    with where.client(library=library) as api:
        try:
            (answer,) = api.search([asked])
        except SearchFault as fault:
            fail(f"search query: {fault}", FAILED if fault.status in (0, 429, 503) else 2)
    if as_json:
        show_json(answer)
    else:
        tables.show(*search_table.answer(answer, show or ()))
        if explain and api.chosen is not None:
            print(f"answered by {api.chosen.endpoint.address} ({api.chosen.reason})")


@search.command(
    "bench",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def bench(context: typer.Context) -> None:
    """Measure searches on this machine: the same as `phantom bench search`."""
    from .development import run_tool

    run_tool("tools.bench.search", context.args)


def _show_import(
    index: str, result: Import, broken: list[str], seconds: float, *, as_json: bool
) -> None:
    """What has become of the rows; `broken` are the files that could not be read."""
    if as_json:
        show_json(
            {
                "index": index,
                "taken": result.taken,
                "bad": result.bad,
                "faults": result.faults,
                "broken": broken,
                "seconds": round(seconds, 3),
                "task": result.task,
            }
        )
        return
    rate = result.taken / max(seconds, 0.001)
    records = "record" if result.taken == 1 else "records"
    bad = f"; {result.bad:,} bad" if result.bad else ""
    print(f"{result.taken:,} {records} in {index}, {seconds:.1f} s ({rate:,.0f}/s){bad}")


def _left(index: str, result: Import, *, replace: bool) -> str:
    """How an import that didn't come to its end leaves an index."""
    if replace:
        return (
            f"{index} is replaced, or soon will be"
            if result.replaced
            else f"{index} stays as it was"
        )
    if not result.taken:
        return f"nothing was put into {index}"
    return f"{result.taken:,} rows are in {index}, or soon will be"


def _parameters(given: Any) -> dict[str, Any]:
    import orjson

    found: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not name or not equals:
            fail(f"search query: {text}: a parameter is NAME=VALUE")
        try:
            found[name] = orjson.loads(value)
        except orjson.JSONDecodeError:
            found[name] = value
    return found


def _total(files: list[str]) -> int | None:
    """Bytes of all files; None if that can't be known."""
    try:
        return sum(Path(name).stat().st_size for name in files) or None
    except OSError:
        return None


@contextmanager
def _written(path: Path | None) -> Generator[IO[bytes]]:
    """Stdout, or a file that is there once it is whole."""
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if path.exists() and not path.is_file():  # such as /dev/stdout
        with path.open("wb") as out:
            yield out
        return
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as out:
            yield out
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
