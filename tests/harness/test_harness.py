"""What is said to be as lm-evaluation-harness has it, held against its own code; `make test-harness` installs that beside."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from tests.bench.harness import MEASURES, compare, measured_by_harness, measured_here
from tests.training.test_asking import RECORDED
from training.data.problems import load_problems
from training.evaluation.asking import HARNESS_SEED, draw_examples
from training.jobs.evaluate import EvaluationSpec, evaluation_spec
from training.rewards import REWARDS
from training.rewards.adversarial import CASES
from training.rewards.extraction import flexible_answer, strict_answer

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("lm_eval") is None, reason="lm_eval is not installed; make test-harness installs it beside"
)
DEMO = load_problems("demo")
SHORT = 10_000
"""Characters up to which the harness's regular expressions end in time."""
TEXTS = (
    *(case.completion for case in CASES if len(case.completion) < SHORT),
    *(problem.answer for problem in DEMO.of_split("test")[:20]),
    "-$1,0.5.",
    "$.,",
)


def spec_of(**settings: Any) -> EvaluationSpec:
    """Four problems of the demo, one example, sixty tokens."""
    few = {"split": "test", "fraction": 0.01, "temperature": 0.0, "samples": 1, "max_completion_length": 60}
    return evaluation_spec("demo", DEMO, **few, shots=1, seed=HARNESS_SEED, **settings)


@pytest.mark.parametrize("style", ["question-answer", "question-answer-chat"])
def test_both_programs_say_the_same_of_the_same_model_and_problems(style: str, tmp_path: Path) -> None:
    spec = spec_of(prompt_style=style)
    assert compare(spec, measured_here(spec, tmp_path), measured_by_harness(spec, tmp_path)) <= 1


def test_the_recorded_prompt_is_the_harnesss() -> None:
    from lm_eval.api.samplers import ContextSampler

    train = [{"question": problem.question, "answer": problem.answer} for problem in DEMO.of_split("train")]
    (shown,) = ContextSampler(train, rnd=HARNESS_SEED).sample(1)
    asked = f"Question: {DEMO.of_split('test')[0].question}\nAnswer:"
    assert f"Question: {shown['question']}\nAnswer: {shown['answer']}\n\n{asked}" == RECORDED


def test_examples_of_the_split_that_is_measured_are_drawn_as_there() -> None:
    from lm_eval.api.samplers import ContextSampler

    train = DEMO.of_split("train")
    for pool in (train, train[:4], (train[0], *train[:4])):
        sampler = ContextSampler(list(pool), rnd=HARNESS_SEED)
        theirs = [list(sampler.sample(3, eval_doc=problem)) for problem in pool]  # type: ignore[arg-type]
        assert draw_examples(pool, pool, 3, HARNESS_SEED) == theirs


def test_answers_are_found_and_compared_as_there() -> None:
    from lm_eval.api.metrics import exact_match_hf_evaluate
    from lm_eval.filters.extraction import RegexFilter

    flexible = RegexFilter(regex_pattern=r"(-?[$0-9.,]{2,})|(-?[0-9]+)", group_select=-1)
    filters = dict(zip(MEASURES, (RegexFilter(regex_pattern=r"#### (\-?[0-9\.\,]+)"), flexible), strict=True))
    found = dict(zip(MEASURES, (strict_answer, flexible_answer), strict=True))
    ignored = [",", r"\$", "(?s).*#### ", r"\.$"]
    for text in TEXTS:
        for name in MEASURES:
            ((answer,),) = filters[name].apply([[text]], [{}])
            assert found[name](text) == answer
            for gold in ("72", "-8", "1072", "48.", ""):
                arguments = {"predictions": [answer], "references": [f"so\n#### {gold}"], "regexes_to_ignore": ignored}
                score = exact_match_hf_evaluate(**arguments, ignore_case=True)["exact_match"]
                assert REWARDS[name.replace("-", "_")].score(text, gold) == score
