"""The registry of a simulation: who is there, and when each client hears of it."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from storagebox.balance.endpoint import Endpoint
from storagebox.balance.experiment.agenda import Agenda
from storagebox.balance.experiment.clients import Client
from storagebox.balance.experiment.scenario import Change


class Membership:
    """Tells clients which servers there are.

    Args:
        agenda: the simulated time.
        clients: all of them.
        endpoints: of each server, whether it is there or not.
        absent: indices of those that join later.
        within_s: each client hears of a change after a time drawn from 0 to this.
        random: decides after which.
    """

    def __init__(
        self,
        agenda: Agenda,
        clients: Sequence[Client],
        endpoints: Sequence[Endpoint],
        absent: set[int],
        within_s: float,
        random: Random,
    ) -> None:
        self._agenda = agenda
        self._clients = clients
        self._endpoints = list(endpoints)
        self._absent = absent
        self._within_s = within_s
        self._random = random
        for client in clients:
            client.balancer.update(self._present(), 0.0)

    def change(self, server: int, what: Change, now: float) -> None:
        """The registry has learnt something."""
        endpoint = self._endpoints[server]
        if what is Change.JOINS:
            self._absent.discard(server)
            if endpoint.weight == 0:
                self._endpoints[server] = endpoint.weighing(None)
        elif what is Change.LEAVES:
            self._absent.add(server)
        else:
            self._endpoints[server] = endpoint.weighing(0)
        present = self._present()
        for client in self._clients:
            heard_s = now + self._within_s * self._random.random()
            self._agenda.at(heard_s, self._hear, (client, present))

    def _hear(self, now: float, heard: tuple[Client, list[Endpoint]]) -> None:
        client, present = heard
        client.balancer.update(present, now)

    def _present(self) -> list[Endpoint]:
        return [each for at, each in enumerate(self._endpoints) if at not in self._absent]
