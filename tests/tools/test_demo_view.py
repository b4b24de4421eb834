"""What a person sees of a playing house, on a terminal and in a log."""

from rich.console import Console

from tools.demo.view import DeviceView, HouseView, RoomView, clock, lines, table

HOUSE = HouseView(
    elapsed_s=67.9,
    total_s=120,
    track="Porch Light · Phantom",
    rooms=[
        RoomView("Kitchen", [DeviceView("playing", "", 165, 312, -11, 5)]),
        RoomView("Bedroom", [DeviceView("away")]),
        RoomView(
            "Living room",
            [
                DeviceView("playing", "left", 160, 280, 3, -20),
                DeviceView("starved", "right", 0, 11_312, -4, 1280, underruns=2),
            ],
        ),
    ],
    heading="Phantom",
    notes=["broken.mp3 skipped: not an audio file"],
)


def shown(width: int) -> list[str]:
    console = Console(width=width, force_terminal=False)
    with console.capture() as capture:
        console.print(table(HOUSE))
    return capture.get().splitlines()


def test_the_table_has_a_row_a_board_with_all_its_figures_in_80_columns() -> None:
    rows = shown(80)
    assert all(len(row) <= 80 for row in rows)
    kitchen = next(row for row in rows if row.startswith("Kitchen"))
    assert kitchen.split()[-5:] == ["165", "0.3", "-11", "+5", "0"]
    right = next(row for row in rows if row.startswith("Living room right"))
    assert right.split()[-6:] == ["starved", "0", "11.3", "-4", "+1280", "2"]


def test_what_is_not_known_is_a_dash_and_not_a_zero() -> None:
    bedroom = next(row for row in shown(100) if row.startswith("Bedroom"))
    assert bedroom.split() == ["Bedroom", "away", "-", "-", "-", "-", "0"]


def test_the_table_tells_the_time_how_far_apart_and_what_was_skipped() -> None:
    text = "\n".join(shown(100))
    assert "1:07 / 2:00" in text
    assert "between any two boards now: 1300 µs" in text
    assert "broken.mp3 skipped: not an audio file" in text


def test_a_log_gets_one_line_a_room_with_the_most_worrying_state() -> None:
    kitchen, bedroom, living = lines(HOUSE)
    assert kitchen.split()[:3] == ["1:07", "Kitchen", "playing"]
    assert "away" in bedroom
    assert "starved" in living
    assert "true -20 / +1280 µs" in living
    assert "underruns 2" in living


def test_a_clock_counts_minutes_and_seconds() -> None:
    assert [clock(s) for s in (-1, 0, 59.9, 60, 3601)] == ["0:00", "0:00", "0:59", "1:00", "60:01"]
