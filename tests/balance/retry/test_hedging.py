"""When a second server is asked."""

from random import Random

import pytest

from storagebox.balance.retry.hedging import Hedging, Latencies


def test_a_quantile_is_right_to_ten_per_cent():
    random = Random(1)
    latencies, added = Latencies(), sorted(random.lognormvariate(-5, 1) for _ in range(5000))
    for latency_s in added:
        latencies.add(latency_s, 0.0)
    for share in (0.5, 0.95, 0.99):
        true = added[round(share * len(added)) - 1]
        assert true / 1.1 <= latencies.quantile(share, 0.0) <= true * 1.1  # pyright: ignore[reportOptionalOperand]


def test_too_few_say_nothing():
    latencies = Latencies()
    latencies.add(0.1, 0.0)
    assert latencies.quantile(0.5, 0.0, enough=2) is None
    assert Latencies().quantile(0.5, 0.0) is None


def test_what_is_two_periods_old_is_forgotten():
    latencies = Latencies(period_s=10)
    latencies.add(1.0, 0.0)
    latencies.add(0.001, 11.0)
    assert latencies.quantile(1.0, 11.0) == pytest.approx(1.0, rel=0.1)
    assert latencies.quantile(1.0, 21.0) == pytest.approx(0.001, rel=0.1)
    assert latencies.quantile(1.0, 60.0) is None


def test_nothing_is_left_of_what_is_older_than_two_periods_however_seldom_it_is_asked_for():
    latencies = Latencies(period_s=10)
    latencies.add(1.0, 0.0)
    assert latencies.quantile(1.0, 20.0) is None, "nobody asked in between"
    latencies.add(1.0, 21.0)
    latencies.add(0.001, 41.0)
    assert latencies.quantile(1.0, 41.0) == pytest.approx(0.001, rel=0.1)


def test_what_is_between_one_and_two_periods_old_counts():
    latencies = Latencies(period_s=10)
    latencies.add(1.0, 0.0)
    assert latencies.quantile(1.0, 19.9) == pytest.approx(1.0, rel=0.1)


def test_what_is_beyond_the_histogram_counts_at_its_ends():
    latencies = Latencies()
    latencies.add(1e6, 0.0)
    assert latencies.quantile(0.5, 0.0) > 300  # pyright: ignore[reportOptionalOperand]
    latencies.add(0.0, 0.0)
    assert latencies.quantile(0.5, 0.0) == pytest.approx(0.0001)


@pytest.mark.parametrize(
    "wrong", [{"quantile": 0}, {"quantile": 1}, {"min_delay_s": 0}, {"max_delay_s": 1e-9}]
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, float]):
    with pytest.raises(ValueError, match="hedging: "):
        Hedging(**wrong)
