"""Retries are a share of the requests."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storagebox.balance.retry.budget import Budget


def withdrawn(budget: Budget, now: float) -> int:
    count = 0
    while budget.withdraw(now):
        count += 1
    return count


def test_a_fifth_of_the_requests_may_be_repeated():
    budget = Budget(ratio=0.2, min_per_s=0)
    for _ in range(100):
        budget.deposit(0.0)
    assert withdrawn(budget, 0.0) == 20


def test_a_quiet_client_may_retry_too():
    assert withdrawn(Budget(ratio=0.2, min_per_s=1, ttl_s=10), 0.0) == 10


def test_deposits_expire():
    budget = Budget(ratio=1, min_per_s=0, ttl_s=10)
    budget.deposit(0.0)
    assert budget.balance(9.0) == 1
    assert not budget.withdraw(10.5)


def test_what_was_withdrawn_comes_back_when_it_is_old():
    budget = Budget(ratio=0, min_per_s=0.1, ttl_s=10)
    assert withdrawn(budget, 0.0) == 1
    assert withdrawn(budget, 5.0) == 0
    assert withdrawn(budget, 11.0) == 1


def test_a_clock_that_goes_back_lets_nothing_expire_and_makes_nothing():
    budget = Budget(ratio=1, min_per_s=0)
    budget.deposit(100.0)
    assert withdrawn(budget, 1.0) == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"ratio": 1.1}, "ratio 1.1 is not within 0 to 1"),
        ({"ratio": math.nan}, "ratio nan"),
        ({"min_per_s": -1}, "min_per_s -1"),
        ({"ttl_s": 0.5}, "ttl_s 0.5 is not within 1 to 60"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, float], said: str):
    with pytest.raises(ValueError, match=said):
        Budget(**wrong)


@given(
    steps=st.lists(st.tuples(st.sampled_from("dw"), st.floats(0, 3)), max_size=300),
    ratio=st.floats(0, 1),
)
def test_never_more_retries_than_the_budget_has_ever_had(
    steps: list[tuple[str, float]], ratio: float
):
    budget = Budget(ratio=ratio, min_per_s=0.5, ttl_s=10)
    now, deposits, retries = 0.0, 0, 0
    for what, later_s in steps:
        now += later_s
        if what == "d":
            budget.deposit(now)
            deposits += 1
        else:
            retries += budget.withdraw(now)
        assert retries <= 5 + deposits * ratio + 0.5 * now + 1e-6
