"""A setting as a field of a configuration: its title, what it does, its unit and its range stand beside its default."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

RECORDED = "Record"
"""The group of what a launch writes down and nobody chooses."""


def field(
    group: str,
    title: str,
    description: str,
    default: Any,
    *,
    unit: str = "",
    none: str = "",
    simple: bool = False,
    meanings: Mapping[str, str] | None = None,
    needs: Mapping[str, tuple[Any, ...]] | None = None,
    **limits: Any,
) -> Any:
    """A pydantic field that a form or a manual can tell.

    Args:
        title: what people call it.
        description: the help text.
        unit: stands beside the value.
        none: what 0 means, where it means no number.
        simple: whether most runs choose it.
        meanings: what each of its values does, a sentence with its source.
        needs: settings -> the values without one of which this one does nothing; none for any but 0, off or empty.
        limits: pydantic's, such as `ge` and `lt`.
    """
    extra: dict[str, Any] = {"group": group, "unit": unit, "none": none, "simple": simple}
    extra |= {"meanings": dict(meanings or {}), "needs": dict(needs or {})}
    return Field(default, title=title, description=description, json_schema_extra=extra, **limits)
