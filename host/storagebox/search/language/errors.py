"""The one error of the query language: what a client said that can't be understood."""

from __future__ import annotations


class LanguageError(ValueError):
    """Something a client said is wrong: `message` and `status` are the body it is answered with.

    `message` names the parameter, the fault and what would be right; `status` is an HTTP 4xx.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status

    def to_json(self) -> dict[str, object]:
        """The body of the answer, as every Algolia client reads it."""
        return {"message": self.message, "status": self.status}
