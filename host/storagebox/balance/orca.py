"""How a server tells its load in a header: ORCA, Open Request Cost Aggregation.

    endpoint-load-metrics: TEXT application_utilization=0.4, rps_fractional=120, eps=2,
    named_metrics.rif=3 endpoint-load-metrics: JSON {"application_utilization": 0.4,
    "named_metrics": {"rif": 3, "latency_s": 0.002}}

gRPC and Envoy use it. Names are those of the message `OrcaLoadReport` (cncf/xds,
`xds/data/orca/v3/orca_load_report.proto`); `named_metrics.rif` and `named_metrics.latency_s` are
what Prequal needs and ORCA has no field for. Binary reports (`BIN`) are left alone.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from storagebox.balance.outcome import LoadReport

HEADER = "endpoint-load-metrics"
_HEADER = HEADER.encode()


def report_in(headers: Iterable[tuple[bytes, bytes]]) -> LoadReport | None:
    """The report among headers, (name, value); `None` if there is none that can be read."""
    for name, value in headers:
        if len(name) == len(_HEADER) and name.lower() == _HEADER:
            return parse(value.decode("latin-1"))
    return None


def parse(value: str) -> LoadReport | None:
    """What the header says. Numbers that are none, are negative or NaN count as not said."""
    form, _, rest = value.strip().partition(" ")
    if form == "TEXT":
        said = dict(_pairs(rest))
    elif form == "JSON":
        try:
            said = _flat(orjson.loads(rest))
        except orjson.JSONDecodeError:
            return None
    else:
        return None
    return _report(said)


def as_text(report: LoadReport) -> str:
    """The header's value for a report."""
    in_flight = report.in_flight
    said = {
        "application_utilization": report.utilisation,
        "rps_fractional": report.requests_per_s,
        "eps": report.errors_per_s,
        "named_metrics.rif": in_flight,
        "named_metrics.latency_s": report.latency_s,
    }
    return "TEXT " + ", ".join(
        f"{name}={value:.6g}" for name, value in said.items() if value is not None
    )


def _pairs(text: str) -> Iterable[tuple[str, Any]]:
    for part in text.split(","):
        name, equals, value = part.strip().partition("=")
        if equals:
            yield name.strip(), value.strip()


def _flat(message: Any) -> Mapping[str, Any]:
    if not isinstance(message, dict):
        return {}
    named = message.get("named_metrics")
    return {
        **message,
        **({f"named_metrics.{n}": v for n, v in named.items()} if isinstance(named, dict) else {}),
    }


def _report(said: Mapping[str, Any]) -> LoadReport | None:
    utilisation = _number(said.get("application_utilization"))
    if not utilisation:  # gRPC A58: the CPU's stands in where the application tells none
        processor = _number(said.get("cpu_utilization"))
        utilisation = utilisation if processor is None else processor
    in_flight = _number(said.get("named_metrics.rif"))
    report = LoadReport(
        utilisation=utilisation,
        requests_per_s=_number(said.get("rps_fractional")),
        errors_per_s=_number(said.get("eps")),
        in_flight=None if in_flight is None else int(in_flight),
        latency_s=_number(said.get("named_metrics.latency_s")),
    )
    return None if report == LoadReport() else report


def _number(value: object) -> float | None:
    try:
        number = float(value)  # pyright: ignore[reportArgumentType]
    except (TypeError, ValueError):
        return None
    return number if number >= 0 and math.isfinite(number) else None
