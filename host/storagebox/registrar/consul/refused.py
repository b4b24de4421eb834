"""A request that is answered by an error: its status, and Consul's own words where it has some."""

from __future__ import annotations


class Refused(Exception):
    """Answered as text. 400: bad input; 404: an unknown id; 429: a limit; 500: its meaning."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class RefusedRead(Refused):
    """Refused by what would have been the servers, which say so in the headers of a read."""
