"""What the bench of failing servers makes of what a client saw."""

from typing import Any

from tools.bench.balance_faults import Seen
from tools.bench.balance_load import Load

VICTIM, OTHER = "127.0.0.1:1", "127.0.0.1:2"


def _seen(
    picks: list[tuple[float, str, str]], requests: list[dict[str, Any]] | None = None
) -> Seen:
    told = {"picks": picks, "requests": requests or [], "hedges": 0, "retries": 0}
    return Seen(told, VICTIM, failed_s=10.0, back_s=20.0)


def test_a_try_of_whether_a_server_is_well_does_not_count_as_choosing_it() -> None:
    seen = _seen([(9.0, VICTIM, "policy"), (11.0, VICTIM, "retry"), (15.0, VICTIM, "probation")])
    assert seen.left_alone_s() == 1.0
    assert seen.chosen(10.0, 20.0, trials=True) == [15.0]


def test_a_server_that_is_not_chosen_after_it_is_back_is_not_trusted() -> None:
    assert _seen([(21.0, VICTIM, "probation"), (22.0, OTHER, "policy")]).trusted_s() is None
    assert _seen([(21.0, VICTIM, "probation"), (22.0, VICTIM, "policy")]).trusted_s() == 2.0


def test_a_server_is_whole_again_once_it_has_about_a_third_of_the_requests() -> None:
    before = [(20.0 + n / 10, OTHER, "policy") for n in range(20)]
    after = [(22.0 + n / 10, (VICTIM, OTHER)[n % 2], "policy") for n in range(20)]
    assert _seen(before + after).whole_s() == 1.5
    assert _seen(before).whole_s() is None


def test_failures_are_told_by_method_and_slow_requests_by_when_they_were_due() -> None:
    request = {"due_s": 11.0, "took_s": 0.5, "method": "GET", "failed": ""}
    seen = _seen(
        [],
        [
            request,
            {**request, "method": "POST", "failed": "ReadTimeout"},
            {**request, "due_s": 9.0, "took_s": 9.0},
        ],
    )
    assert (seen.failures("GET"), seen.failures("POST")) == ([], ["ReadTimeout"])
    assert seen.took_s() == [0.5]


def test_a_load_is_steady_the_same_for_a_seed_and_a_fifth_posts() -> None:
    load = Load(rate=100.0, begin_s=5.0, seconds=50.0, seed=1, ports=(1, 2))
    due = load.due()
    assert due == load.due()
    assert all(5.0 <= at_s < 55.0 for at_s, _ in due)
    assert 4500 < len(due) < 5500
    assert sum(method == "POST" for _, method in due) == -(-len(due) // 5)
