"""Everything that the pages can do to anything, each refused to who may not act (see `dashboard.access`).

The only module of the dashboard that takes these functions from `training`; a test holds the others to it. A button that is
disabled in the browser can still be pressed by whoever writes the message themselves.
"""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from dashboard.access import require_act
from training import presets
from training.jobs.playground import Answers, Models, Playground, Question, Scores
from training.runs import deletion, launch
from training.store import answer_marks, curation, run_marks
from training.studies import launching
from training.tokens.scores import Request

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def guarded(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """The function, which raises `AccessError` first where the session may not act."""

    @wraps(function)
    def checked(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        require_act()
        return function(*args, **kwargs)

    return checked


launch_run = guarded(launch.launch_run)
launch_stages = guarded(launch.launch_stages)
resume_run = guarded(launch.resume_run)
stop_run = guarded(launch.stop_run)
launch_evaluation = guarded(launch.launch_evaluation)
launch_judging = guarded(launch.launch_judging)
launch_output = guarded(launch.launch_output)
launch_import = guarded(launch.launch_import)
read_on = guarded(launch.read_on)
launch_job = guarded(launch.launch_job)
launch_study = guarded(launching.launch_study)
add_seeds = guarded(launching.add_seeds)
delete_job = guarded(deletion.delete_job)
save_preset = guarded(presets.save_preset)
save_subset = guarded(curation.save_subset)
name_cluster = guarded(curation.name_cluster)
judge_pairs = guarded(curation.judge_pairs)
set_marks = guarded(run_marks.set_marks)
mark_answer = guarded(answer_marks.mark_answer)


@guarded
def ask_model(playground: Playground, models: Models, question: Question) -> Answers:
    """`Playground.ask`."""
    return playground.ask(models, question)


@guarded
def score_tokens(playground: Playground, models: Models, request: Request) -> Scores:
    """`Playground.score`."""
    return playground.score(models, request)


@guarded
def stop_model(playground: Playground) -> None:
    """`Playground.stop`."""
    playground.stop()
