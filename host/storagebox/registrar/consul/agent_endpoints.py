"""Endpoints of the local agent: registering, checks, maintenance, and what it knows itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from . import answers, filtering, registration, requests
from .agent import VERBS, of_local
from .blocking import until
from .definitions import CRITICAL, MAINTENANCE, PASSING, STATUSES, WARNING, Service
from .http import EMPTY, Answer, Call, Endpoint, Routes
from .query import wait_of
from .refused import Refused

_STATUS_CODES: Final = {PASSING: 200, WARNING: 429, CRITICAL: 503, MAINTENANCE: 503}
_BEST_FIRST: Final = (PASSING, WARNING, CRITICAL, MAINTENANCE)


def routes() -> Routes:
    """Those of /v1/agent."""
    return {
        ("PUT", "/v1/agent/service/register"): _register_service,
        ("PUT", "/v1/agent/service/deregister/"): _deregister_service,
        ("PUT", "/v1/agent/service/maintenance/"): _maintain_service,
        ("PUT", "/v1/agent/maintenance"): _maintain_node,
        ("PUT", "/v1/agent/check/register"): _register_check,
        ("PUT", "/v1/agent/check/deregister/"): _deregister_check,
        **{("PUT", f"/v1/agent/check/{verb}/"): _teller(VERBS[verb]) for verb in VERBS},
        ("PUT", "/v1/agent/check/update/"): _update_check,
        ("GET", "/v1/agent/self"): lambda call: Answer(answers.agent_self(call.agent.node)),
        ("GET", "/v1/agent/services"): _services,
        ("GET", "/v1/agent/checks"): _checks,
        ("GET", "/v1/agent/service/"): _service,
        ("GET", "/v1/agent/health/service/name/"): _health_by_name,
        ("GET", "/v1/agent/health/service/id/"): _health_by_id,
        ("GET", "/v1/agent/members"): _members,
        ("PUT", "/v1/agent/reload"): lambda _: EMPTY,
        ("GET", "/v1/agent/monitor"): _monitor,
        ("PUT", "/v1/agent/force-leave/"): _force_leave,
        ("PUT", "/v1/agent/token/"): _token,
    }


# Services


def _register_service(call: Call) -> Answer:
    fields = requests.decode(call.body, requests.SERVICE_DEFINITION)
    service = registration.service(fields)
    checks = registration.checks(fields)
    replaces = call.query.text("replace-existing-checks") == "true"
    beside = registration.sidecar(service, fields, call.agent.services)
    call.agent.register_service(service, checks, call.now_s(), replaces_checks=replaces)
    if beside is not None:
        call.agent.register_service(beside, (), call.now_s())
    return EMPTY


def _deregister_service(call: Call) -> Answer:
    if not call.rest:
        raise Refused(500, "ServiceID missing")
    call.agent.deregister_service(call.rest)
    return EMPTY


def _maintain_service(call: Call) -> Answer:
    if not call.rest:
        raise Refused(400, "Missing service ID")
    enable = call.query.enable()
    call.agent.maintain_service(call.rest, enable, call.query.text("reason"), call.now_s())
    return EMPTY


def _maintain_node(call: Call) -> Answer:
    call.agent.maintain_node(call.query.enable(), call.query.text("reason"), call.now_s())
    return EMPTY


# Checks


def _register_check(call: Call) -> Answer:
    fields = requests.decode(call.body, requests.CHECK_DEFINITION)
    call.agent.register_check(registration.check(fields), call.now_s())
    return EMPTY


def _deregister_check(call: Call) -> Answer:
    if not call.rest:
        raise Refused(500, "CheckID missing")
    call.agent.deregister_check(call.rest)
    return EMPTY


def _teller(status: str) -> Endpoint:
    def tell(call: Call) -> Answer:
        call.agent.update_ttl(call.rest, status, call.query.text("note"), call.now_s())
        return EMPTY

    return tell


def _update_check(call: Call) -> Answer:
    fields = requests.decode(call.body, requests.UPDATE)
    status: str = fields.get("Status", "")
    if status not in STATUSES:
        raise Refused(400, f"Invalid check status: '{status}'")
    call.agent.update_ttl(call.rest, status, fields.get("Output", ""), call.now_s())
    return EMPTY


# What the agent knows


def _kept(call: Call, kind: str) -> Callable[[Any], bool]:
    expression = call.query.text("filter")
    if not expression:
        return lambda _: True
    try:
        return filtering.compile_filter(expression, filtering.FIELDS[kind])
    except filtering.FilterError as fault:
        text = f"Failed to create boolean expression evaluator: {fault}"
        raise Refused(500, text) from None


def _services(call: Call) -> Answer:
    keep = _kept(call, "service")
    found = {key: answers.agent_service(each) for key, each in call.agent.services.items()}
    return Answer({key: each for key, each in sorted(found.items()) if keep(each)})


def _checks(call: Call) -> Answer:
    keep, node = _kept(call, "check"), call.agent.node.name
    found = {key: answers.check(m.check, node) for key, m in call.agent.checks.items()}
    return Answer({key: each for key, each in sorted(found.items()) if keep(each)})


async def _service(call: Call) -> Answer:
    """Blocks while the content is what the client knows by its hash."""
    wait_s, known = wait_of(call.query), call.query.text("hash")

    def content() -> str:
        service = call.agent.services.get(call.rest)
        return answers.hashed(service)[0] if service else ""

    if known and content() == known:
        with call.waiting.place(call.address):
            await until(
                lambda: content() != known,
                call.agent.catalog.wakes,
                (of_local(call.rest),),
                call.waiting,
                wait_s,
                call.gone,
            )
    service = call.agent.services.get(call.rest)
    if service is None:
        raise Refused(404, f"unknown service ID: {call.rest}")
    told, value = answers.hashed(service)
    return Answer(value, headers={"X-Consul-Contenthash": told})


def _health_by_id(call: Call) -> Answer:
    service = call.agent.services.get(call.rest)
    if service is None:
        reason = f"ServiceId {call.rest} not found"
        nothing = {"AggregatedStatus": CRITICAL, "Service": None, "Checks": None}
        return _health(call, CRITICAL, nothing, 404, reason)
    status, value = _local_health(call, service)
    return _health(call, status, value)


def _health_by_name(call: Call) -> Answer:
    found = [each for _, each in sorted(call.agent.services.items()) if each.name == call.rest]
    if not found:
        reason = f"ServiceName {call.rest} Not Found"
        return _health(call, CRITICAL, [], 404, reason)
    told = [_local_health(call, service) for service in found]
    status = max((status for status, _ in told), key=_BEST_FIRST.index)
    return _health(call, status, [value for _, value in told])


def _local_health(call: Call, service: Service) -> tuple[str, Any]:
    checks = call.agent.checks_on(service.id)
    status = call.agent.aggregate(checks)
    return status, answers.local_health(status, service, checks, call.agent.node.name)


def _health(call: Call, status: str, value: Any, code: int = 0, reason: str = "") -> Answer:
    told = reason or status
    headers = {"X-Consul-Reason": told.encode("ascii", "replace").decode()}
    if call.query.text("format") == "text":
        headers["Content-Type"] = "text/plain"
        return Answer(None, code or _STATUS_CODES[status], headers, told)
    return Answer(value, code or _STATUS_CODES[status], headers)


def _members(call: Call) -> Answer:
    return Answer([answers.member(call.agent.node, wan=call.query.flag("wan"))])


def _monitor(call: Call) -> Answer:
    level = call.query.text("loglevel")
    raise Refused(400, f"Bad request: Unknown log level: {level}")


def _force_leave(call: Call) -> Answer:
    raise Refused(500, f"agent: No node found with name '{call.rest}'")


def _token(_: Call) -> Answer:
    raise Refused(401, "ACL support disabled")
