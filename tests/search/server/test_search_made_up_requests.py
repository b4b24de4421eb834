"""Whatever is asked, the answer is that, or an error that says why not: never a 500."""

from __future__ import annotations

import pytest

from tests.search.server.conftest import APP, Api
from tests.search.server.made_up import Maker, ask


@pytest.mark.parametrize("seed", range(3))
def test_no_request_is_a_fault_of_the_servers(api: Api, seed: int) -> None:
    faults = ask(api, Maker(seed), 250)
    assert not faults, "\n".join(faults.values())
    application = api.applications[APP]
    assert application.wait(application.last, 30)  # nothing that was taken stops what comes after
    assert application.fault is None
