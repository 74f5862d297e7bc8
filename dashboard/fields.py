"""What a remembered value is: its default, its name in the address, how it is read from there, and the widget that edits it.

Values lie in Streamlit's session state. A field belongs to a group, a class of fields that are about one thing; `memory` has
the groups.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Generic, Self, TypeVar, get_args, overload

import streamlit as st

Value = TypeVar("Value")
Number = TypeVar("Number", int, float)
Parse = Callable[[str], Any]

TEXT_CHARACTERS = 1_000
"""What a field of one line holds, and a value in the address: names, paths, a question to look for."""
LONG_TEXT_CHARACTERS = 20_000
"""What a field of many lines holds: a prompt, a question."""
SEARCH_CHARACTERS = 200
"""What is looked for in many rows."""
_LIST_CHARACTERS = 8_000
_LIST_PARTS = 200
"""Several values in the address, and their number."""


def parse_texts(text: str) -> tuple[str, ...]:
    """Several values, joined with commas."""
    found = tuple(part for part in text.split(",") if part)
    if len(found) > _LIST_PARTS:
        raise ValueError(f"{len(found)} values")
    return found


def parse_numbers(text: str) -> tuple[int, ...]:
    """Several whole numbers, joined with commas."""
    return tuple(int(part) for part in parse_texts(text))


def parse_range(text: str) -> tuple[float, ...]:
    """Two numbers, the second the larger, none negative."""
    first, last = (float(part) for part in parse_texts(text))
    if not 0 <= first < last:
        raise ValueError(text)
    return first, last


def one_of(*values: str) -> Callable[[str], Any]:
    """What reads one of these."""

    def parse(text: str) -> str:
        if text not in values:
            raise ValueError(text)
        return text

    return parse


def choice(literal: Any) -> Callable[[str], Any]:
    """What reads a value of a `Literal`."""
    return one_of(*get_args(literal))


def within(low: Number, high: Number) -> Callable[[str], Number]:
    """What reads a number of the kind of these, neither smaller than the one nor larger than the other."""

    def parse(text: str) -> Number:
        number = type(low)(text)
        if not low <= number <= high:
            raise ValueError(text)
        return number

    return parse


def _usual_parse(default: object) -> Parse:
    if isinstance(default, bool):
        return lambda text: text == "True"
    return parse_texts if isinstance(default, tuple) else type(default)


def _usual_write(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


class Field(Generic[Value]):
    """One remembered value; reading it before it was set gives the default."""

    def __init__(
        self,
        default: Value,
        url: str = "",
        parse: Parse | None = None,
        write: Callable[[Any], str] = _usual_write,
        *,
        followed: bool = True,
        longest: int | None = None,
    ) -> None:
        self.default = default
        self.url = url
        """Its name in the address; empty where no link shares it."""
        self.parse: Callable[[str], Value] = parse or _usual_parse(default)
        """From the address's text; raises `ValueError` where that is no such value."""
        self.write = write
        self.followed = followed
        """Whether a link within the session sets it here; otherwise the page that it leads to sees to it."""
        self.longest = longest or (_LIST_CHARACTERS if isinstance(default, tuple) else TEXT_CHARACTERS)
        """Characters of its text, in the address and in a widget: whoever looks on may write anything into both."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.key = f"{owner.__name__.lower()}_{name}"
        """Its name in the session state."""
        self.widget = f"{self.key}_choice"
        """Key of the widget that edits it."""
        self._times_set = f"{self.key}_times_set"

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: "Group", owner: type) -> Value: ...
    def __get__(self, instance: "Group | None", owner: type) -> Self | Value:
        return self if instance is None else self.get()

    def __set__(self, instance: "Group", value: Value) -> None:
        self.set(value)

    def get(self) -> Value:
        """What is remembered."""
        value: Value = st.session_state.get(self.key, self.default)
        return value

    def set(self, value: Value) -> None:
        """Remember this."""
        if value != self.get():
            st.session_state[self._times_set] = st.session_state.get(self._times_set, 0) + 1
        st.session_state[self.key] = value

    def reset(self) -> None:
        """Remember the default."""
        self.set(self.default)

    def bind(self) -> dict[str, Any]:
        """The keyword arguments that make a widget show and edit the value, so that the field alone says what is chosen."""
        return self._bound(self.widget)

    def bind_text(self) -> dict[str, Any]:
        """`bind` for a field in which one writes: no more than it may hold is taken, whatever is sent."""
        return self.bind() | {"max_chars": self.longest}

    def bind_out_of_sight(self) -> dict[str, Any]:
        """`bind` for a widget that may be hidden when another sets the value, as in a popover.

        The browser does not tell a hidden widget, which would bring its old value back with whatever is done next. So a value
        that was set has a widget of its own, and the one before is not listened to.
        """
        return self._bound(self._latest_widget())

    def _latest_widget(self) -> str:
        return f"{self.widget} {st.session_state.get(self._times_set, 0)}"

    def _bound(self, widget: str) -> dict[str, Any]:
        value = self.get()
        # A list, as such widgets give back: a tuple would count as changed, and its callback undo what a button just did.
        st.session_state[widget] = list(value) if isinstance(value, tuple) else value
        return {"key": widget, "on_change": self._take, "args": (widget,)}

    def _take(self, widget: str) -> None:
        if widget not in (self.widget, self._latest_widget()):
            return
        chosen = st.session_state[widget]
        if isinstance(chosen, list):  # widgets that hold several values
            chosen = tuple(chosen)
        st.session_state[self.key] = self.default if chosen is None else chosen


AnyField = Field[Any]


class Group:
    """Fields that are about one thing. It holds nothing itself, so it can be made wherever it is needed."""

    @classmethod
    def fields(cls) -> Iterator[AnyField]:
        """All of them."""
        return (field for field in vars(cls).values() if isinstance(field, Field))

    @classmethod
    def shared(cls) -> Iterator[AnyField]:
        """Those that have a name in the address."""
        return (field for field in cls.fields() if field.url)


class Built(Group, Generic[Value]):
    """Fields that make a dataclass together; those that are among its own have its names."""

    kind: ClassVar[type[Any]]

    @property
    def value(self) -> Value:
        """The dataclass as it is chosen."""
        built: Value = self.kind(**{name: getattr(self, name) for name in self._names()})
        return built

    def choose(self, value: Value) -> None:
        """Remember all that the dataclass says."""
        for name in self._names():
            setattr(self, name, getattr(value, name))

    def _names(self) -> Iterator[str]:
        return (field.name for field in dataclasses.fields(self.kind))
