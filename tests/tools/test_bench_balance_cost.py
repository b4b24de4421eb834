"""What picks cost is measured of every policy, and of each alike."""

import pkgutil

import pytest

from storagebox.balance import picker
from storagebox.balance.picker import Policy
from tools.bench import balance_cost

NO_POLICY = {"alias", "asking", "probe_responses", "weights"}
"""Modules of `picker` that policies are made of. `subsetting` is measured by the one it makes."""


def test_every_policy_is_measured():
    modules = {module.name for module in pkgutil.iter_modules(picker.__path__)} - NO_POLICY
    measured = {
        type(policy).__module__.rpartition(".")[2] for policy in balance_cost.POLICIES.values()
    }
    assert measured == modules


@pytest.mark.parametrize("policy", balance_cost.POLICIES.values(), ids=balance_cost.POLICIES)
def test_a_rate_is_measured(policy: Policy, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(balance_cost, "_BATCH", 2048)
    monkeypatch.setattr(balance_cost, "_BATCHES", 1)
    assert 100 < balance_cost.balanced_per_second(policy, 3) < 1e7
    assert 100 < balance_cost.picks_per_second(policy, 30) < 1e8


def test_goals_tell_the_slowest_of_the_cheap_and_of_all():
    costs = {name: {"pick": {"3": 2e6, "100": 1.5e6}} for name in balance_cost.POLICIES}
    costs["static stride"]["pick"]["100"] = 9e5
    costs["Prequal"]["pick"]["3"] = 3e5
    cheap, every = balance_cost.goals(costs)
    assert (cheap["found"], cheap["met"]) == ("900,000, static stride", False)
    assert (every["found"], every["met"]) == ("300,000, Prequal", True)
