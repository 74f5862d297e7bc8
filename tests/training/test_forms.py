"""Forms of answers: what each takes for the answer, and how the format rewards keep to it."""

import pytest

from training.errors import ConfigError
from training.rewards import score_completion
from training.rewards.forms import FORMS, TAGS, form_named


@pytest.mark.parametrize(
    ("form", "completion", "answer", "has_block"),
    [
        ("tags", "<answer>\n72\n</answer>", "72", True),
        ("tags", "<answer>1</answer> <answer>2", "2", True),
        ("tags", "72</answer> 9", "72", True),
        ("tags", "so \\boxed{72}", "so \\boxed{72}", False),
        ("boxed", "so \\boxed{72}.", "72", True),
        ("boxed", "so \\boxed{ \\frac{1}{2} }", "\\frac{1}{2}", True),
        ("boxed", "<answer>72</answer>", "<answer>72</answer>", False),
        ("boxed", "\\boxed{}", "", True),
        ("hashes", "so\n#### 72 \n", "72", True),
        ("hashes", "so 72", "so 72", False),
        ("hashes", "so\n####", "so\n####", False),
        ("/Answer: (.*)/", "Answer: 7\nAnswer: 8", "8", True),
        ("/Answer: .*/", "Answer: 7", "Answer: 7", True),
        ("/Answer: (.*)/", "7", "7", False),
    ],
)
def test_a_form_takes_what_it_marks_for_the_answer(form: str, completion: str, answer: str, has_block: bool) -> None:
    found = form_named(form)
    assert (found.answer(completion), found.has_block(completion)) == (answer, has_block)


@pytest.mark.parametrize("name", ["", "Tags", "box", "/", "//", "/(/", "/[/"])
def test_a_form_that_there_is_not_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"not known|no regular expression") as raised:
        form_named(name)
    assert raised.value.remedy


def test_every_form_goes_by_its_name() -> None:
    assert FORMS["tags"] is form_named("tags") is TAGS
    assert all(form_named(name) is form for name, form in FORMS.items())


@pytest.mark.parametrize(
    ("form", "completion", "strict", "soft"),
    [
        ("boxed", "so $\\boxed{72}$.\n", 0.5, 0.5),
        ("boxed", "so \\boxed{\\frac{1}{2}}", 0.5, 0.5),
        ("boxed", "\\boxed{72} as 4 * 18 = 72", 0.0, 0.5),
        ("boxed", "\\boxed{72} or \\boxed{72}", 0.5, 0.5),
        ("boxed", "so 72", 0.0, 0.0),
        ("boxed", "\\boxed{}", 0.0, 0.5),
        ("hashes", "so\n#### 72\n", 0.5, 0.5),
        ("hashes", "#### 72\nand more", 0.0, 0.5),
        ("hashes", "<answer>72</answer>", 0.0, 0.0),
        ("/Answer: (\\d+)/", "Answer: 72.", 0.5, 0.5),
        ("/Answer: (\\d+)/", "Answer: 72, I think", 0.0, 0.5),
    ],
)
def test_the_format_rewards_are_those_of_the_form(form: str, completion: str, strict: float, soft: float) -> None:
    scores = score_completion(completion, "72", form_named(form))
    assert (scores["strict_format"], scores["soft_format"], scores["xml_count"]) == (strict, soft, None)


@pytest.mark.parametrize(
    ("form", "completion"),
    [("boxed", "4 * 18 is \\boxed{72}"), ("hashes", "4 * 18\n#### 72"), ("/= (\\d+)/", "4 * 18 = 72")],
)
def test_the_correctness_rewards_read_the_answer_in_the_form(form: str, completion: str) -> None:
    scores = score_completion(completion, "72", form_named(form))
    names = ("correctness", "soft_correctness", "integer", "value_correctness")
    assert [scores[name] for name in names] == [1.0, 1.0, 0.5, 1.0]
