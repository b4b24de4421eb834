"""The choices in `phantom status`: whole in a pipe, within a terminal's width, odd ones apart."""

from typing import Any

import pytest

from storagebox.cli import tables
from tests.cli.standin_box import house
from tests.cli.test_cli_tables import terminal

LOWEST = "lowest id of 2 boxes that keep time"
DEVICES = ["kitchen", "bedroom", "living-l", "living-r"]


def status() -> dict[str, Any]:
    """Two boxes, a device that asks another one than the rest, three servers, one of them ill."""
    return {
        **house(),
        "boxes": [{"id": "box-1a2b3c4d", "self": True}, {"id": "box-5e6f7a8b"}],
        "chosen": [
            choice("time", "box-1a2b3c4d", ["box-5e6f7a8b", *DEVICES[:3]], LOWEST),
            choice("time", "living-r", ["living-r"], "keeps time itself; asks nobody"),
            choice("sound", "box-1a2b3c4d", ["Kitchen", "Bedroom"], "asked to play there"),
            choice("sound", "box-5e6f7a8b", ["Study"], "asked to play there, as devices say"),
        ],
        "services": [
            {
                "service": "search",
                "chosen": "search-1",
                "because": "policy",
                "servers": [
                    server("search-1", "192.168.1.20:7700"),
                    server("search-2", "192.168.1.21:7700"),
                    server("search-3", "192.168.1.22:7700", "checks fail: no answer within 1 s"),
                ],
            }
        ],
    }


def choice(what: str, who: str | None, by: list[str], because: str) -> dict[str, Any]:
    return {"for": what, "chosen": who, "by": by, "because": because}


def server(identity: str, address: str, state: str = "well") -> dict[str, Any]:
    return {"id": identity, "server": address, "well": state == "well", "state": state}


def shown(capsys: pytest.CaptureFixture[str], answer: dict[str, Any]) -> list[str]:
    tables.show(*tables.status({**answer, "unadopted": []}))
    _, _, choices = capsys.readouterr().out.partition("\nfor ")
    return [f"for {choices.splitlines()[0]}", *choices.splitlines()[1:]] if choices else []


IN_A_PIPE = """\
for     chosen               by                                    because
time    box-1a2b3c4d         kitchen, bedroom, living-l, this box  lowest id of 2 boxes that keep time
        living-r             living-r                              keeps time itself; asks nobody
sound   box-1a2b3c4d         Kitchen, Bedroom                      asked to play there
        box-5e6f7a8b (this)  Study                                 asked to play there, as devices say
search  192.168.1.20:7700    the next request                      policy; 2 of 3 well
        192.168.1.22:7700                                          checks fail: no answer within 1 s
"""  # noqa: E501 a table in a pipe is as wide as it must be


def test_each_choice_is_a_row_with_its_reason(capsys: pytest.CaptureFixture[str]):
    lines = shown(capsys, {**status(), "box": "box-5e6f7a8b"})
    assert lines == IN_A_PIPE.splitlines()


@pytest.mark.parametrize("width", [80, 120])
def test_choices_fit_a_terminal(width: int):
    lines = [line.rstrip() for line in terminal(width, *tables.status(status())).splitlines()]
    assert all(len(line) <= width for line in lines)
    assert "…" not in "".join(lines)
    text = " ".join(" ".join(lines).split())
    for part in ("box-1a2b3c4d (this)", "192.168.1.22:7700", "keeps time itself;", "2 of 3 well"):
        assert part in text


def test_one_box_and_its_devices_are_one_row(capsys: pytest.CaptureFixture[str]):
    only = choice("time", "box-1a2b3c4d", DEVICES, "the only box that keeps time")
    assert shown(capsys, {**house(), "chosen": [only], "services": []}) == [
        "for   chosen               by             because",
        "time  box-1a2b3c4d (this)  all 4 devices  the only box that keeps time",
    ]


def test_many_devices_are_counted_and_few_are_named(capsys: pytest.CaptureFixture[str]):
    many = choice("time", "box-1a2b3c4d", [f"d{n}" for n in range(9)], LOWEST)
    odd = choice("time", None, ["e"], "does not know the time yet")
    lines = shown(capsys, {**house(), "chosen": [many, odd]})
    cells = [[cell.strip() for cell in line.split("  ") if cell] for line in lines[1:]]
    assert cells[0] == ["time", "box-1a2b3c4d (this)", "9 of 10 devices", LOWEST]
    assert cells[1] == ["nobody", "e", "does not know the time yet"]


def test_one_that_is_to_be_chosen_soon_says_so(capsys: pytest.CaptureFixture[str]):
    answer = {**status(), "chosen": [choice("time", "box-0", [], LOWEST)], "services": []}
    assert shown(capsys, answer)[1] == f"time  box-0   nobody yet  {LOWEST}"


def test_where_nothing_was_chosen_nothing_is_shown(capsys: pytest.CaptureFixture[str]):
    alone = choice("time", "box-1a2b3c4d", [], "the only box that keeps time")
    assert shown(capsys, {**house(), "chosen": [alone], "services": []}) == []
    assert shown(capsys, house()) == []


def test_a_service_that_nobody_can_be_chosen_for_says_why(capsys: pytest.CaptureFixture[str]):
    none = {
        "service": "search",
        "chosen": None,
        "because": "no endpoint: all 1 servers drain (weight 0); give one a weight",
        "servers": [server("search-1", "10.0.0.1:7700", "drains")],
    }
    lines = shown(capsys, {**house(), "services": [none]})
    assert lines[1].split()[:2] == ["search", "nobody"]
    assert lines[2].split() == ["10.0.0.1:7700", "drains"]
