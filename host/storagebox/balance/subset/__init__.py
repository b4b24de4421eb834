"""Which servers a client uses at all, where a connection to each would be too many: one a module.

A subset policy puts the servers into an order of its own for each client, and the client uses the
first `size` of them. What drains, or isn't well by its registry, is stepped over: somebody else
takes its place, and it is back in its place when it is back.

    | policy      | connections a server | replaced if one comes or goes | needs            |
    |-------------|----------------------|-------------------------------|------------------|
    | random      | binomial             | 1 a client at most            | nothing          |
    | rendezvous  | binomial             | 1 a client at most            | nothing          |
    | window      | equal                | about half                    | numbered clients |
    | SRE         | equal in a round     | up to nearly all              | numbered clients |
    | Ringsteady  | near equal           | 1 a client at most            | numbers on both  |
    | Rocksteadier| near equal           | 1 a client at most            | numbers on both  |
    | aperture    | equal, in fractions  | all shift a little            | numbered clients |

`SubsetResolver` puts one around any resolver, so whoever picks never knows that there are more;
`Subsetting` (a picker) puts one around any policy.
"""

from collections.abc import Collection, Sequence
from typing import Protocol

from storagebox.balance.endpoint import Endpoint, distinct


class Subset(Protocol):
    """A way to choose a client's servers. Subset policies are frozen dataclasses."""

    @property
    def size(self) -> int:
        """How many servers the client uses, if there are so many. 1 or more."""
        ...

    def order(self, endpoints: Sequence[Endpoint], held: Collection[str]) -> Sequence[Endpoint]:
        """Those of the endpoints that the client may ever use, the ones to use first first.

        Args:
            endpoints: all that there are, each once, in the order of ids, which all clients share.
            held: ids of those that it uses already.
        """
        ...


def members(
    subset: Subset, endpoints: Sequence[Endpoint], held: Collection[str] = ()
) -> list[Endpoint]:
    """The client's servers: `size` different ones that are ready and don't drain.

    Fewer if there are fewer. If there are none such at all, those that the client would use
    otherwise: whether to try what isn't well is health's question.
    """
    endpoints = distinct(endpoints)
    order = subset.order(endpoints, held)
    usable = [endpoint for endpoint in order if endpoint.ready and endpoint.weight != 0]
    return (usable or list(order))[: subset.size]


def require(size: int, client: int = 0) -> None:
    """Refuse parameters that no subset has.

    Raises:
        ValueError: the size is below 1, or the client's number negative.
    """
    if size < 1:
        raise ValueError(f"subset of {size} servers: give 1 or more")
    if client < 0:
        raise ValueError(f"subset of client {client}: number clients from 0 without gaps")
