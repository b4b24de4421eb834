"""What Consul's own agent answers, ours does: status, headers and body, step by step.

golden.json is recorded from Consul 1.8.7 by record.py. EXPECTED has each answer that differs on
purpose, with the reason.
"""

from __future__ import annotations

import asyncio
import functools
import json
from pathlib import Path
from typing import Any

import pytest

from tests.registrar.consul.masking import masked
from tests.registrar.consul.scenarios import SCENARIOS
from tests.registrar.consul.served import Served

TIMED = False
GOLDEN = json.loads((Path(__file__).parent / "golden.json").read_text(encoding="utf-8"))

GO_TYPES = "Go's own types are not spelled out"
KINDS = "kinds of checks that are not served are refused, not kept and forever critical"
PATTERNS = "no regular expressions"
EXPECTATIONS = "what would have been right is not listed"
_REGISTER = "PUT /v1/agent/service/register"
_FILTER = "GET /v1/health/service/web?filter="
# By the beginning of what is asked.
EXPECTED: dict[str, str] = {
    "GET / ": "there is no page, but a check of the server itself passes all the same",
    "GET /nothing": "Vary is always told",
    "GET /v1/nothing": "Vary is always told",
    f"{_REGISTER} []": GO_TYPES,
    f'{_REGISTER} "x"': GO_TYPES,
    f'{_REGISTER} {{"Name": "x", "Check": "a"}}': GO_TYPES,
    f'{_REGISTER} {{"Name": "x", "Check": {{"GRPC"': KINDS,
    f'{_REGISTER} {{"Name": "x", "Check": {{"AliasService"': KINDS,
    "GET /v1/agent/checks [what can't be registered]": "the output of an alias check stays",
    "GET /v1/health/state/passing [TTL]": "readers hear at once of a TTL that ran out",
    "PUT /v1/agent/service/deregister [": "refused, not redirected to an id that is missing",
    f"{_FILTER}Service.ID+matches": PATTERNS,
    f"{_FILTER}Service.ID+not+matches": PATTERNS,
    f"{_FILTER}(( ": EXPECTATIONS,
    f"{_FILTER}Service.ID ": EXPECTATIONS,
    "GET /v1/catalog/nodes?filter=not+a+valid+expression((": EXPECTATIONS,
    "GET /v1/catalog/gateway-services/x": "there is no mesh",
}


@functools.cache
def differing(name: str) -> dict[str, str]:
    """What is asked and answered otherwise, in a scenario: both answers."""

    async def run() -> dict[str, str]:
        served, found = Served(), {}
        answers = iter(GOLDEN["scenarios"][name])
        for step in SCENARIOS[name]:
            if isinstance(step, float):
                served.passes(step)
                continue
            method, path, body = step
            answer = await served.ask(method, path, body.encode())
            ours = masked(path, answer.status_code, answer.headers, answer.text)
            wanted: dict[str, Any] = dict(next(answers))
            asked = f"{wanted.pop('ask')} [{name}]"
            if ours != wanted:
                found[asked] = f"{asked}\n  Consul: {wanted}\n  ours:   {ours}"
            assert not served.faults, (asked, served.faults)
        assert next(answers, None) is None, "record.py is to be run again"
        return found

    return asyncio.run(run())


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_answer_is_that_of_consuls_own_agent(name: str) -> None:
    found = differing(name)
    unexpected = [text for asked, text in found.items() if not asked.startswith(tuple(EXPECTED))]
    assert not unexpected, "\n".join(unexpected)


def test_what_is_said_to_differ_does():
    found = [asked for name in SCENARIOS for asked in differing(name)]
    idle = [known for known in EXPECTED if not any(asked.startswith(known) for asked in found)]
    assert not idle
