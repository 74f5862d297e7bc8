"""Why a row is left out."""


class BadRow(ValueError):
    """Why a single row is rejected."""

    def __init__(self, reason: str, detail: str = "") -> None:
        """
        Args:
            reason: the same for all rows that are rejected for it.
            detail: what it was in this one.
        """
        self.reason = reason
        self.detail = detail if len(detail) <= _DETAIL_CHARACTERS else f"{detail[: _DETAIL_CHARACTERS - 1]}…"
        super().__init__(f"{reason} ({self.detail})" if self.detail else reason)


_DETAIL_CHARACTERS = 60
