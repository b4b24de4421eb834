"""What picks cost is measured of every policy, and of each alike."""

import pkgutil

import pytest

from storagebox.balance import picker
from storagebox.balance.picker import Policy
from tools.bench import balance_cost

NO_POLICY = {"alias", "asking", "weights"}
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
