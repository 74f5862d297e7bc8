"""The playground: one process that answers, kept while it is used, ended when it is not; the asker never hangs or crashes."""

import io
import json
import queue
import sys
from functools import partial
from pathlib import Path

import pytest

from training.errors import AtlasError, BackendError, ModelError
from training.home import Home
from training.jobs.playground import Answer, Models, Playground, Question
from training.jobs.playground.__main__ import completions_of, serve
from training.prompts import SYSTEM_PROMPT

FAKE = """
import json, os, sys, time
print("loading", file=sys.stderr)
if sys.argv[2] == "broken":
    sys.exit("out of memory")
if sys.argv[2] == "refused":
    print(json.dumps({"problem": "It is not there.", "remedy": "Take another."}), flush=True)
    sys.exit(2)
print(json.dumps({"ready": sys.argv[2]}), flush=True)
for line in sys.stdin:
    question = json.loads(line)
    if question["text"] == "wait":
        time.sleep(600)
    answer = [f"{os.getpid()} {sys.argv[2]} {question['text']}", len(question["text"])]
    if question["text"] == "variables":
        answer[0] = " ".join(sorted(os.environ))
    print(json.dumps({"completions": [answer] * question["samples"]}), flush=True)
    if question["text"] == "leave":
        break
"""
"""Speaks the process's side of the protocol without a model."""


@pytest.fixture
def playground(home: Home, tmp_path: Path):
    script = tmp_path / "fake.py"
    script.write_text(FAKE)
    found = Playground(home, (sys.executable, str(script)))
    yield found
    found.stop()


def ask(playground: Playground, model: str, text: str, **settings: object) -> list[Answer]:
    return playground.ask(Models(model), Question(text=text, **settings)).future.result(timeout=600)


def test_one_process_answers_while_it_is_asked_and_another_model_ends_it(playground: Playground) -> None:
    first, second = ask(playground, "a", "how many", samples=2, max_completion_length=8), ask(playground, "a", "x")
    assert [(answer.tokens, answer.cut_off) for answer in first] == [(8, True), (8, True)]
    pid = first[0].completion.split()[0]
    assert second[0].completion == f"{pid} a x"
    other = ask(playground, "b", "x")[0].completion.split()
    assert other[1] == "b"
    assert other[0] != pid
    assert playground.doing == ""


def test_the_process_inherits_the_environment_but_not_what_lets_people_act(
    playground: Playground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRPO_ATLAS_TOKEN", "sixteen-letters-of-it")
    monkeypatch.setenv("HF_TOKEN", "for-the-hub")
    names = ask(playground, "a", "variables")[0].completion.split()
    assert "HF_TOKEN" in names
    assert "GRPO_ATLAS_TOKEN" not in names


def test_a_process_that_left_after_its_idle_time_is_started_again(playground: Playground) -> None:
    first = ask(playground, "a", "leave")[0].completion.split()[0]
    assert ask(playground, "a", "x")[0].completion.split()[0] != first


def test_a_second_question_has_to_wait_and_stopping_ends_the_first(playground: Playground) -> None:
    exchange = playground.ask(Models("a"), Question(text="wait"))
    with pytest.raises(BackendError, match="answering another question"):
        playground.ask(Models("a"), Question(text="x"))
    playground.stop()
    with pytest.raises(ModelError, match="was stopped"):
        exchange.future.result(timeout=600)
    assert ask(playground, "a", "x")


def test_what_goes_wrong_is_said_and_the_next_question_is_answered(playground: Playground) -> None:
    for model, message in (("broken", "out of memory"), ("refused", "It is not there. Take another.")):
        with pytest.raises(ModelError, match=message):
            ask(playground, model, "x")
    assert ask(playground, "a", "x")


def test_a_program_that_cannot_be_started_is_an_error_too(home: Home) -> None:
    with pytest.raises(AtlasError, match="could not be asked"):
        ask(Playground(home, ("/no/such/program",)), "a", "x")


def test_the_process_answers_in_order_and_ends_when_idle_or_when_a_job_wants_the_gpu() -> None:
    lines: queue.Queue[str] = queue.Queue()
    for text in ("one", "two"):
        lines.put(Question(text=text, samples=2, temperature=1.0).model_dump_json())
    asked: list[object] = []

    def complete(prompts: list[list[dict[str, str]]], length: int, temperature: float) -> list[tuple[str, int]]:
        asked.append((prompts, length, temperature))
        return [("5", 1) for _ in prompts]

    replies = io.StringIO()
    serve(lines, replies, partial(completions_of, complete), 0.05, lambda: False)  # returns: it was idle
    assert [json.loads(line) for line in replies.getvalue().splitlines()] == [{"completions": [["5", 1], ["5", 1]]}] * 2
    prompt = [{"role": "system", "content": SYSTEM_PROMPT}, {"role": "user", "content": "one"}]
    assert asked[0] == ([prompt, prompt], 200, 1.0)

    lines.put(Question(text="three").model_dump_json())
    serve(lines, replies, partial(completions_of, complete), 600.0, lambda: True)  # returns: a job wants the accelerator
    assert len(asked) == 2


def test_the_real_process_answers_with_the_demo_model_and_ends_with_its_input(home: Home) -> None:
    playground = Playground(home)
    try:
        answers = playground.ask(
            Models("demo"), Question(text="Tom has 3 apples and buys 4. How many?", samples=2)
        ).future.result(600)
        assert len(answers) == 2
        assert answers[0] == answers[1]
        assert answers[0].tokens > 0
        process = playground._process
        assert process is not None
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(600) == 0
    finally:
        playground.stop()
