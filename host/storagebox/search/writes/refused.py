"""The one error of a write: it was not taken, and nothing of it will be applied."""

from __future__ import annotations


class Refused(Exception):
    """A write was not taken: `message` and `status` are what the client is answered.

    `details` are further fields of the answer's body. With status 429 or 503 the same write may be
    tried again after `retry_after_s`.
    """

    def __init__(
        self,
        message: str,
        status: int = 400,
        retry_after_s: int | None = None,
        **details: object,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.retry_after_s = retry_after_s
        self.details = details

    def to_json(self) -> dict[str, object]:
        """The body of the answer, as every Algolia client reads it."""
        return {"message": self.message, **self.details, "status": self.status}
