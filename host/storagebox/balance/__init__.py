"""Client-side load balancing: clients that choose the server themselves, with no proxy between.

    resolver ─▶ health ─▶ picker ─▶ endpoint
    who is there  who is well  who is next

A *resolver* publishes endpoints as they come and go. *Health* keeps out who fails. A *policy*
makes a *picker* of those that are left, and the picker chooses one a request. `Balancer` joins the
three, a *transport* makes an HTTP client use it.

    transport/      httpx, aiohttp, sockets: most programs need no more than this
    resolver/       static, DNS, Consul, etcd, beacons, several merged
    health/         checks, ejection, overload, slow start, panic; `trust` joins them
    picker/         a policy a module
    load/           what pickers that look at load compare
    subset/         a few servers for each client, where there are thousands
    retry/          when to send again or besides, within a budget
    running, background    keep a balancer up to date, on an event loop or a thread
    metrics         for Prometheus
    reporting/, registration    the servers' side: tell load, and that one is there
    experiment/     which policy is best, simulated and on real sockets
"""

from storagebox.balance.balancer import Balancer, NoEndpoint, Pick, Standing
from storagebox.balance.endpoint import Endpoint
from storagebox.balance.outcome import LoadReport, Outcome

__all__ = ["Balancer", "Endpoint", "LoadReport", "NoEndpoint", "Outcome", "Pick", "Standing"]
