"""What a study is told, the runs that follow from it, and what is refused."""

from typing import Any

import pytest

from tests.tiny_runs import tiny
from training.errors import ConfigError
from training.presets import load_preset
from training.rewards import ARTICLE_REWARDS
from training.studies.launching import study_of
from training.studies.plan import Search, StudySpec, parse_ranges, parse_vary, planned_runs, value_words
from training.studies.ready_studies import ready_studies, ready_study


def planned(vary: dict[str, Any], seeds: int = 1, **more: Any) -> StudySpec:
    return study_of(tiny(preset="demo", seed=5), vary, seeds, **more)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("lora_rank=2,8,32", (2, 8, 32)),
        ("loss_type=grpo,dapo", ("grpo", "dapo")),
        ("learning_rate=1e-4, 1e-3", (1e-4, 1e-3)),
        ("rewards={integer=1},{integer=1,correctness=0.5}", ({"integer": 1}, {"integer": 1, "correctness": 0.5})),
        ('system_prompt="a, b","c"', ("a, b", "c")),
        ("first=,demo-sft", ("", "demo-sft")),
        ("use_vllm=true,false", (True, False)),
    ],
)
def test_values_are_toml_or_plain_text(text: str, values: tuple[Any, ...]) -> None:
    assert parse_vary([text]) == {text.partition("=")[0]: values}


@pytest.mark.parametrize("texts", [["lora_rank"], ["seed=1,2"], ["lora_rank=2,2"], ["lora_rank=2", "lora_rank=4"]])
def test_what_cannot_be_varied_is_refused(texts: list[str]) -> None:
    with pytest.raises(ConfigError):
        parse_vary(texts)


def test_every_combination_is_an_arm_and_seeds_count_from_the_presets_own() -> None:
    spec = planned({"lora_rank": (0, 2), "loss_type": ("grpo", "dapo")}, seeds=2)
    assert [arm.label for arm in spec.arms] == [
        "lora_rank 0, loss_type grpo",
        "lora_rank 0, loss_type dapo",
        "lora_rank 2, loss_type grpo",
        "lora_rank 2, loss_type dapo",
    ]
    assert spec.seeds == (5, 6)
    assert spec.runs == 8
    runs = list(planned_runs(spec))
    assert [run.seed for run in runs] == [5] * 4 + [6] * 4, "all arms have one seed before any has the next"
    assert [(run.config.lora_rank, run.config.seed) for run in runs[:3]] == [(0, 5), (0, 5), (2, 5)]


def test_a_weight_of_the_rewards_is_varied_alone() -> None:
    runs = list(planned_runs(planned({"rewards.correctness": (0, 2)})))
    assert [run.config.model_dump()["rewards"] for run in runs] == [
        {"integer": 1.0, "correctness": 0.0},
        {"integer": 1.0, "correctness": 2.0},
    ]


def test_the_stage_before_is_a_setting() -> None:
    without, behind = planned_runs(planned({"first": ("", "demo-sft")}))
    assert without.first is None
    assert behind.first is not None
    assert (behind.first.preset, behind.first.stage, behind.first.seed) == ("demo-sft", "sft", 5)


@pytest.mark.parametrize(
    ("vary", "told"),
    [
        ({}, "Nothing is varied"),
        ({"lora_ranks": (1, 2)}, "lora_ranks"),
        ({"lora_rank": (2, -1)}, "lora_rank -1"),
        ({"first": ("", "nothing-like-it")}, "nothing-like-it"),
        ({"first": ("", "demo-sft"), "model": ("demo", "other")}, "both varied"),
        ({"learning_rate": (0.001, 1e-3)}, "the same run"),
        ({"lora_rank": tuple(range(1, 1100))}, "1,099 runs"),
    ],
)
def test_a_study_that_cannot_be_run_is_refused_before_anything_starts(vary: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        planned(vary)


def test_ranges_are_whole_or_not_and_logarithmic_where_told() -> None:
    found = parse_ranges(["lora_rank=2..32", "learning_rate=1e-4..1e-2,log"])
    assert found["lora_rank"].ends == (2, 32)
    assert found["lora_rank"].whole
    assert (found["learning_rate"].ends, found["learning_rate"].log) == ((1e-4, 1e-2), True)


@pytest.mark.parametrize("text", ["lora_rank=2", "lora_rank=8..2", "lora_rank=a..b", "beta=0..1,log", "beta=0..1,square"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="no range"):
        parse_ranges([text])


@pytest.mark.parametrize(
    ("ranges", "changes", "told"),
    [
        (["learning_rate=1e-4..1e-2"], {"evaluation_problems": 0}, "evaluation_problems"),
        (["rewards.integer=1..2"], {}, "weights cannot be held"),
        (["lora_rank=2..100000"], {}, "lora_rank 100000"),
    ],
)
def test_a_search_that_cannot_be_run_is_refused(ranges: list[str], changes: dict[str, Any], told: str) -> None:
    base = tiny(preset="demo", **({"evaluation_problems": 2} | changes))
    with pytest.raises(ConfigError) as raised:
        study_of(base, {}, 1, search=Search(trials=4, ranges=parse_ranges(ranges), prune=True))
    assert told in str(raised.value)


@pytest.mark.parametrize("name", ready_studies())
def test_every_ready_study_can_be_run(name: str) -> None:
    ready = ready_study(name)
    spec = study_of(load_preset(ready.preset), parse_vary(ready.vary), 2)
    assert len(spec.arms) >= 2
    assert ready.description.endswith(".")


def test_a_ready_study_that_is_not_there_is_told() -> None:
    with pytest.raises(ConfigError, match="rewards"):
        ready_study("reward")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"correctness": 1.0, "integer": 0.5, "xml_count": 0.0}, "correctness + integer 0.5"),
        (dict.fromkeys(ARTICLE_REWARDS, 1.0), "the article's six"),
        ("", "none"),
        (("q_proj", "v_proj"), "q_proj v_proj"),
        (1e-05, "1e-05"),
        ("one\nline", "one line"),
        (True, "True"),
    ],
)
def test_values_are_told_in_a_few_words(value: object, words: str) -> None:
    assert value_words(value) == words


def test_long_values_that_differ_anywhere_have_names_that_differ() -> None:
    """A word in the middle, of the same length, or a line break."""
    texts = [
        f"Think first, with care and step by step, in {number}{gap}sentences at most." for number in "345" for gap in " \n"
    ]
    names = [value_words(text) for text in texts]
    assert len(set(names)) == len(names)
    for name in names:
        assert name.startswith("Think first, with care… ")
        assert len(name) < 60


def test_what_decides_which_settings_there_are_is_not_varied_and_the_way_to_do_it_is_named() -> None:
    with pytest.raises(ConfigError, match="'stage' cannot be varied") as refused:
        parse_vary(["stage=sft,grpo"])
    assert "--vary first=" in refused.value.remedy
