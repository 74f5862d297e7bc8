"""A field reads what an address may say, refuses the rest, and shows in a widget what is remembered."""

from typing import Any, Literal

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.fields import Field, Group, choice, one_of, parse_numbers, parse_range, within
from dashboard.filters import Filters
from dashboard.memory import Asking, Filtering, MapLook, MapParameters, RunList, Search


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (Field(False).parse, "True", True),
        (Field(True).parse, "true", False),
        (Field(()).parse, "a,,b", ("a", "b")),
        (Field("").parse, "", ""),
        (parse_numbers, "3,-1", (3, -1)),
        (parse_range, "1.5,20", (1.5, 20.0)),
        (one_of("a", "b"), "b", "b"),
        (choice(Literal["a", ""]), "", ""),
        (within(0, 9), "9", 9),
        (within(0.0, 1.0), "0.25", 0.25),
    ],
)
def test_a_value_is_read(parse: Any, text: str, value: object) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (Field(()).parse, ",".join("a" * 201)),
        (parse_numbers, "1,x"),
        (parse_range, "5,5"),
        (parse_range, "-1,5"),
        (parse_range, "1"),
        (one_of("a", "b"), "c"),
        (choice(Literal["a"]), ""),
        (within(0, 9), "10"),
        (within(0, 9), "1.5"),
        (within(0.0, 1.0), "nan"),
    ],
)
def test_what_is_no_such_value_is_refused(parse: Any, text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (whichever the conversion says)
        parse(text)


def test_values_are_written_as_they_are_read() -> None:
    values = {Filtering.clusters: (1, 2), MapLook.density: True, RunList.page: 7, MapParameters.min_dist: 0.1}
    for field, value in values.items():
        assert field.parse(field.write(value)) == value


def test_fields_build_their_dataclass_and_take_one_over() -> None:
    def script() -> None:
        import streamlit as st

        from analysis.atlas import AtlasParameters
        from dashboard.filters import Filters
        from dashboard.state import State

        state = State()
        assert state.parameters.value == AtlasParameters()
        state.parameters.choose(AtlasParameters(seed=7, compare_with="other"))
        state.filters.choose(Filters(split="train", mode="regex"))
        state.filters.steps = ("2",)
        assert state.filters.value == Filters(split="train", steps=("2",), mode="regex")
        state.filters.clear()
        assert state.filters.value == Filters(mode="regex")
        state.run_list.show_all()
        st.json({"seed": State().parameters.seed, "archived": State().run_list.value.archived})

    test = AppTest.from_function(script, default_timeout=60).run()
    assert not test.exception
    assert test.json[0].value == '{"seed": 7, "archived": true}'


@pytest.mark.parametrize("group", [Filtering, MapParameters, RunList, Search])
def test_fields_that_build_a_dataclass_have_its_names_and_defaults(group: Any) -> None:
    fields = {field.name: field.default for field in group.fields()}
    whole = group.kind()
    assert {name: fields[name] for name in vars(whole)} == vars(whole)


def test_a_widget_shows_and_edits_what_is_remembered() -> None:
    def script() -> None:
        import streamlit as st

        from dashboard.memory import Filtering
        from dashboard.state import State

        state = State()
        if st.button("Set"):
            state.filters.split, state.filters.steps = "test", ("3",)
        st.pills("Split", ["train", "test"], **Filtering.split.bind())
        st.pills("Steps", ["2", "3"], selection_mode="multi", **Filtering.steps.bind())
        st.text(f"{state.filters.split!r} {state.filters.steps}")

    test = AppTest.from_function(script, default_timeout=60).run()
    assert test.text[0].value == "'' ()"
    test.button[0].click().run()
    assert test.text[0].value == "'test' ('3',)"
    steps = test.button_group[1]
    steps.set_value([*steps.value, "2"]).run()
    test.button_group[0].set_value(None).run()
    assert test.text[0].value == "'' ('3', '2')"


def test_a_widget_out_of_sight_does_not_bring_back_what_another_has_changed() -> None:
    def script() -> None:
        import streamlit as st

        from dashboard.memory import Filtering
        from dashboard.state import State

        state = State()
        st.pills("Split", ["train", "test"], **Filtering.split.bind_out_of_sight())
        st.button("Clear", on_click=state.filters.clear)
        st.text(repr(state.filters.split))

    test = AppTest.from_function(script, default_timeout=60).run()
    hidden = test.button_group[0]
    hidden.set_value("test").run()
    assert test.text[0].value == "'test'"
    test.button[0].click().run()
    assert test.text[0].value == "''"
    assert test.button_group[0].key != hidden.key  # what the browser goes on to send for the one before is not listened to


def test_a_widget_in_which_one_writes_says_how_long_a_text_may_be() -> None:
    def script() -> None:
        import streamlit as st

        from dashboard.memory import Asking

        st.text_area("Question", **Asking.question.bind_text())

    test = AppTest.from_function(script, default_timeout=60).run()
    assert test.text_area[0].proto.max_chars == Asking.question.longest


def test_fields_of_a_group_are_found_without_those_of_another() -> None:
    class Two(Group):
        first = Field("a", "one")
        second = Field(2)

    assert [field.name for field in Two.fields()] == ["first", "second"]
    assert [field.url for field in Two.shared()] == ["one"]
    assert Filters.split == Filtering.split.default
