"""A person's own reward functions: from a file on this machine into the registry, and what is wrong is said."""

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.fakes import full_demo_run
from tests.hostile import NO_FILES
from training.data.problems import load_problems
from training.errors import RewardError
from training.home import Home
from training.preflight import preflight
from training.preflight.settings import pays_for_right
from training.presets import load_preset
from training.rewards import BUILT_IN, REWARDS, score_completion, score_completions
from training.rewards.own import OwnReward, register_own_rewards
from training.store import Store

FILE = """
from training.rewards import Reward

def brief(completion, gold):
    '''0.5 for at most twenty words.'''
    return 0.5 if len(completion.split()) <= 20 else 0.0

REWARDS = [Reward("brief", "Brief", 0.5, brief)]
"""


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    before = dict(REWARDS)
    yield
    REWARDS.clear()
    REWARDS.update(before)


def file_with(folder: Path, text: str) -> Path:
    path = folder / "mine.py"
    path.write_text(text)
    return path


def test_own_functions_are_scored_configured_and_explained_like_the_others(tmp_path: Path) -> None:
    register_own_rewards(file_with(tmp_path, FILE))
    assert score_completion("short", "5")["brief"] == 0.5
    config = load_preset("demo", ["rewards={ brief = 2, integer = 1 }"])
    assert config.reward_weights == {"integer": 1, "brief": 2}
    assert config.maximum_reward == 1.5
    assert REWARDS["brief"].description == "0.5 for at most twenty words."


def test_registering_again_changes_nothing_and_no_file_is_no_error(tmp_path: Path) -> None:
    register_own_rewards(None)
    for _ in range(2):
        register_own_rewards(file_with(tmp_path, FILE))
    assert list(REWARDS)[-1] == "brief"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be run"),
        ("REWARDS = [", "cannot be run: SyntaxError"),
        ("1 / 0", "cannot be run: ZeroDivisionError"),
        ("x = 1", "has no list REWARDS"),
        ("REWARDS = [3]", "has no list REWARDS"),
        (FILE.replace('"brief"', '"correctness"'), "names a reward 'correctness', which there is already"),
        (
            FILE.replace("brief)]", 'brief), Reward("brief", "B", 1.0, brief)]'),
            "names a reward 'brief', which there is already",
        ),
        (FILE.replace('"brief"', '"no name"'), "needs an identifier as its name"),
        (FILE.replace("0.5, brief", "0, brief"), "a maximum above 0"),
        (FILE.replace("0.5, brief", "'high', brief"), "a maximum above 0, not 'high'"),
        (FILE.replace("0.5, brief", "float('nan'), brief"), "a maximum above 0, not nan"),
        (FILE.replace("0.5, brief", "10**400, brief"), "a maximum above 0"),
        (FILE.replace('"Brief"', "3"), "a title, not 3"),
        (FILE.replace("0.5, brief", "0.5, None"), "a function, not None"),
        (FILE.replace("brief)]", "brief, 'yes')]"), "needs_gold, not 'yes'"),
        (FILE.replace("brief)]", "brief, timeout_s=0)]"), "a timeout_s above 0"),
        ("import sys; sys.exit('bye')", "cannot be run: SystemExit: bye"),
        ("raise KeyboardInterrupt", "cannot be run: KeyboardInterrupt"),
        ("import os; os._exit(7)", "cannot be run: it ended its process with status 7"),
        ("import ctypes; ctypes.string_at(0)", "cannot be run: it ended its process by signal 11"),
        ("while True: pass", "was still running after 5 s"),
        ("(" * 100_000, "cannot be run"),
        ("import resource as r; bytearray(2 * r.getrlimit(r.RLIMIT_DATA)[0])", "cannot be run: MemoryError"),
    ],
)
def test_a_file_that_cannot_be_used_is_an_error_and_registers_nothing(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "mine.py" if text is None else file_with(tmp_path, text)
    before = list(REWARDS)
    with pytest.raises(RewardError, match=message) as raised:
        register_own_rewards(path, load_timeout_s=5 if text and "while" in text else 120)
    assert raised.value.remedy
    assert list(REWARDS) == before


def test_the_file_is_named_by_the_environment_and_handed_on_to_jobs(tmp_path: Path) -> None:
    path = file_with(tmp_path, FILE)
    home = Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path / "home"), "GRPO_ATLAS_REWARDS": str(path)})
    assert home.rewards == path
    assert Home.from_environment(home.environment()) == home


BAD = """
import ctypes, os, re, subprocess, sys, time
from pathlib import Path
from training.rewards import Reward

class Odd(Exception):
    def __str__(self):
        raise ValueError

def long(text):
    return "long" in text

def loops(text, gold):
    while long(text):
        pass

def keeps_the_interpreter(text, gold):
    re.match("(a+)+$", ("a" * 40 if long(text) else "") + "b")

def sleeps(text, gold):
    time.sleep(3600 if long(text) else 0)

def starts_another(text, gold):
    if long(text):
        with subprocess.Popen(["sleep", "3600"]) as process:
            Path(gold).write_text(str(process.pid))

def exits(text, gold): sys.exit("bye")
def interrupts(text, gold): raise KeyboardInterrupt
def leaves(text, gold): os._exit(7)
def crashes(text, gold): ctypes.string_at(0)
def fills_the_memory(text, gold): return bytearray(1 << 50)
def raises_oddly(text, gold): raise Odd
def is_too_large(text, gold): return 10 ** 5000
def prints(text, gold):
    print("printed")
    return 0.25

REWARDS = [
    Reward(name, name, 1.0, function, timeout_s=0.5 if name.split("_")[0] in ("loops", "keeps", "sleeps", "starts") else 60)
    for name, function in list(globals().items())
    if callable(function) and name.islower() and function.__module__ == "<run_path>" and name != "long"
]
"""


@pytest.fixture
def bad(tmp_path: Path) -> None:
    register_own_rewards(file_with(tmp_path, BAD))
    assert len(REWARDS) == len(BUILT_IN) + 12


@pytest.mark.usefixtures("bad")
@pytest.mark.parametrize("name", ["loops", "keeps_the_interpreter", "sleeps", "starts_another"])
def test_a_function_that_does_not_end_is_an_error_that_names_it_its_completion_and_its_time_in_any_thread(
    name: str, tmp_path: Path
) -> None:
    left = tmp_path / "left"
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(REWARDS[name].score_all, ["short", "a long text", "short"], [str(left)] * 3)
        with pytest.raises(RewardError, match=f"{name} took longer than 0.5 s on the completion 'a long text'"):
            found.result()
    assert REWARDS["prints"].score("short", "5") == 0.25
    if left.exists():
        with suppress(psutil.NoSuchProcess):
            psutil.Process(int(left.read_text())).wait(60)


@pytest.mark.usefixtures("bad")
def test_what_took_too_long_is_not_waited_for_again_at_once() -> None:
    reward = REWARDS["sleeps"]
    assert isinstance(reward, OwnReward)
    for _ in range(3):
        with pytest.raises(RewardError, match="took longer"):
            reward.score_all(["short", "a long text"], ["5", "5"])
        assert reward.process._connection is None  # nothing was started for it
    assert reward.score("short", "5") is None


@pytest.mark.usefixtures("bad")
@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("exits", "raised SystemExit: bye"),
        ("interrupts", "raised KeyboardInterrupt"),
        ("leaves", "ended its process with status 7,"),
        ("crashes", "ended its process by signal 11, Segmentation fault,"),
        ("fills_the_memory", "raised MemoryError"),
        ("raises_oddly", "raised Odd"),
        ("is_too_large", "returned a value of type int, which is no number up to its maximum 1,"),
    ],
)
def test_a_function_that_ends_in_an_unusual_way_is_an_error_that_says_which(name: str, what: str) -> None:
    with pytest.raises(RewardError, match=f"{name} {what} on the completion 'short'"):
        REWARDS[name].score("short", "5")
    assert REWARDS["prints"].score("short", "5") == 0.25


def test_what_a_function_prints_is_not_among_what_a_command_prints(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    register_own_rewards(file_with(tmp_path, BAD))
    REWARDS["prints"].score("short", "5")
    found = capfd.readouterr()
    assert (found.out, found.err) == ("", "printed\n")


def test_threads_take_turns_and_texts_of_any_characters_and_length_get_there(tmp_path: Path) -> None:
    register_own_rewards(file_with(tmp_path, FILE.replace("len(completion.split()) <= 20", "completion == gold")))
    texts = ["", "a\nb", "\ud800\x00é", "x" * 3_000_000]
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda text: REWARDS["brief"].score_all(texts, [text] * len(texts)), texts)
        assert list(found) == [[0.5 if text == other else 0.0 for text in texts] for other in texts]
    assert REWARDS["brief"].score_all([], []) == []


def test_many_completions_are_scored_together_as_each_alone(tmp_path: Path) -> None:
    register_own_rewards(file_with(tmp_path, FILE))
    rows = [("short", "5"), ("<answer>5</answer>", None), ("word " * 30, "7")]
    assert score_completions(*zip(*rows, strict=True)) == [score_completion(*row) for row in rows]
    assert [score["brief"] for score in score_completions(*zip(*rows, strict=True))] == [0.5, None, 0.0]


@pytest.mark.parametrize("hangs", ["while True: pass", 'import re; re.match("(a+)+$", "a" * 60 + "b")'])
def test_the_process_of_the_functions_ends_with_the_one_that_asks(hangs: str, tmp_path: Path) -> None:
    mark = tmp_path / "hangs"
    body = f"    open({str(mark)!r}, 'w')\n    {hangs}\n    return"
    path = file_with(tmp_path, FILE.replace("    return", body).replace("brief)]", "brief, timeout_s=3600)]"))
    script = f"""
from pathlib import Path
from training.rewards.own import register_own_rewards
from training.rewards import REWARDS
register_own_rewards(Path({str(path)!r}))
print(REWARDS["brief"].process._connection.process.pid, flush=True)
REWARDS["brief"].score("short", "5")
"""
    asking = psutil.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    functions = psutil.Process(int(asking.stdout.readline()))
    while not mark.exists():
        assert asking.poll() is None
        time.sleep(0.1)
    asking.kill()
    asking.wait()
    assert psutil.wait_procs([functions], timeout=60)[1] == []


def test_a_launch_check_says_which_function_does_not_end(tmp_path: Path) -> None:
    text = FILE.replace("    return", "    while True: pass\n    return").replace("brief)]", "brief, timeout_s=0.5)]")
    register_own_rewards(file_with(tmp_path, text))
    with pytest.raises(RewardError, match=r"brief took longer than 0\.5 s"):
        pays_for_right(REWARDS["brief"])


@pytest.mark.parametrize("name", NO_FILES)
def test_what_is_no_file_holds_no_rewards_and_nobody_waits_for_it(name: str, tmp_path: Path) -> None:
    NO_FILES[name](tmp_path / "rewards.py")
    with pytest.raises(RewardError, match=r"rewards\.py"):
        register_own_rewards(tmp_path / "rewards.py")


FORMS = """
import numpy as np
from training.rewards import Reward

def trl(prompts, completions, answer, level=None, **kwargs):
    return [2.0 if c[0]["content"] == a and p[-1]["role"] == "user" else float(len(kwargs["nums"][0])) / 10
            for p, c, a in zip(prompts, completions, answer)]

def narrow(completions, ground_truth):
    return np.array([float(c[-1]["content"] == g) for c, g in zip(completions, ground_truth)])

async def waits(completions, **kwargs):
    return [None if "?" in c[0]["content"] else 1 for c in completions]

def looks(completion, problem):
    return {"easy": 0.5, "hard": 1.0}[problem["level"]] if problem["gold"] == completion else 0

async def waits_alone(completion, gold):
    return 1.0

def numpy_float(completion, gold): return np.float32(0.5)
def numpy_bool(completion, gold): return np.bool_(completion == gold)
def numpy_int(completion, gold): return np.int64(1)
def numpy_cell(completion, gold): return np.array(0.25)

def one_list(completion, gold): return [1.0]
def too_few(completions, **kwargs): return [1.0]
def no_list(completions, **kwargs): return 1.0
def too_much(completions, **kwargs): return [3.0 for _ in completions]
def not_finite(completion, gold): return np.float64("nan")
def raises(completions, **kwargs): return [kwargs["missing"]]

REWARDS = [Reward(f.__name__, f.__name__, 2.0, f) for f in
           (trl, narrow, waits, looks, waits_alone, numpy_float, numpy_bool, numpy_int, numpy_cell,
            one_list, too_few, no_list, too_much, not_finite, raises)]
"""
COMPLETIONS, GOLDS = ["5", "6?"], ["5", "7"]
PROBLEMS = [
    {"prompt": [{"role": "user", "content": "2 + 3?"}], "level": level, "nums": [2, 3], **more}
    for level, more in (("easy", {}), ("hard", {"alone": 1}))
]


@pytest.fixture
def forms(tmp_path: Path) -> None:
    register_own_rewards(file_with(tmp_path, FORMS))


@pytest.mark.usefixtures("forms")
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("trl", [2.0, 0.2]),
        ("narrow", [1.0, 0.0]),
        ("waits", [1.0, None]),
        ("looks", [0.5, 0.0]),
        ("waits_alone", [1.0, 1.0]),
        ("numpy_float", [0.5, 0.5]),
        ("numpy_bool", [1.0, 0.0]),
        ("numpy_int", [1.0, 1.0]),
        ("numpy_cell", [0.25, 0.25]),
    ],
)
def test_functions_are_called_in_the_form_that_they_have(name: str, values: list[float | None]) -> None:
    assert REWARDS[name].score_all(COMPLETIONS, GOLDS, PROBLEMS) == values


@pytest.mark.usefixtures("forms")
@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("one_list", "returned "),
        ("too_few", "returned 1 values for 2 completions"),
        ("no_list", "instead of a list of numbers"),
        ("too_much", "no number up to its maximum 2"),
        ("not_finite", "no number up to its maximum 2"),
        ("raises", "raised KeyError"),
    ],
)
def test_what_is_not_one_number_for_each_completion_is_an_error(name: str, what: str) -> None:
    with pytest.raises(RewardError, match=what):
        REWARDS[name].score_all(COMPLETIONS, GOLDS, PROBLEMS)


@pytest.mark.parametrize("signature", ["completion", "", "*, completion, gold", "a, b, c, d, e"])
def test_a_function_of_no_known_form_is_refused_when_the_file_is_read(signature: str, tmp_path: Path) -> None:
    with pytest.raises(RewardError, match="cannot be called"):
        register_own_rewards(file_with(tmp_path, FILE.replace("completion, gold", signature)))


@pytest.mark.usefixtures("forms")
def test_a_function_that_nothing_weighs_ends_no_evaluation_and_is_told() -> None:
    told: list[RewardError] = []
    found = score_completions(COMPLETIONS, GOLDS, PROBLEMS, required=("correctness",), failed=told.append)
    assert [scores["too_few"] for scores in found] == [None, None]
    assert [scores["looks"] for scores in found] == [0.5, 0.0]
    assert len(told) == 6
    with pytest.raises(RewardError, match="too_few"):
        score_completions(COMPLETIONS, GOLDS, PROBLEMS, required=("too_few",))
    assert score_completions(COMPLETIONS, GOLDS, PROBLEMS, required=())[0]["correctness"] == 1.0


@pytest.mark.parametrize(
    ("body", "says"),
    [("return float(completion)", "raised ValueError"), ("return misspelt", "raised NameError"), ("return 7", "returned 7")],
)
def test_a_weighted_function_that_fails_on_real_rows_is_refused_before_the_launch(
    body: str, says: str, tmp_path: Path, store: Store
) -> None:
    register_own_rewards(file_with(tmp_path, FILE.replace("return 0.5 if len(completion.split()) <= 20 else 0.0", body)))
    demo = load_problems("demo")
    weighed = preflight(full_demo_run(rewards={"correctness": 1.0, "brief": 1.0}), demo, store, None).findings
    assert [says in finding.text for finding in weighed if finding.certain] == [True]
    without = preflight(full_demo_run(), demo, store, None).findings
    assert not [finding for finding in without if finding.certain]


def test_installed_packages_bring_rewards(own_kinds: None) -> None:
    script = "from training.rewards import REWARDS\nfrom training.rewards.own import register_own_rewards\n"
    script += "register_own_rewards(None)\nprint(REWARDS['packaged_short'].score('brief', ''))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("1.0", 0), done.stderr
