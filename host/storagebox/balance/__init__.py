"""Client-side load balancing: clients that choose the server themselves, with no proxy between.

    resolver ─▶ health ─▶ picker ─▶ endpoint
    who is there  who is well  who is next

A *resolver* publishes endpoints as they come and go. *Health* keeps out who fails. A *policy*
makes a *picker* of those that are left, and the picker chooses one a request. `Balancer` joins the
three, a *transport* makes an HTTP client use it.
"""

from storagebox.balance.balancer import Balancer, NoEndpoint, Pick, Standing
from storagebox.balance.endpoint import Endpoint
from storagebox.balance.outcome import LoadReport, Outcome

__all__ = ["Balancer", "Endpoint", "LoadReport", "NoEndpoint", "Outcome", "Pick", "Standing"]
