"""What two models make of the tokens of a run's completions: `tokens`."""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from training.command_line.parameters import AsJson, RunId
from training.command_line.stores import open_here
from training.data.problem import Problem
from training.data.problems import load_problems
from training.errors import SourceError, StoreError
from training.files import replace_file
from training.groups import Rollout
from training.home import Home
from training.jobs.playground import Models, Playground
from training.models.beginnings import recorded_model
from training.store import Store
from training.store.ledger import group_rollouts
from training.text import count
from training.tokens.asking import default_models, kept_precision, scored_config, token_request
from training.tokens.files import Place, csv_text, table_rows
from training.tokens.scores import OTHER_CUT, Request, Scored, first_difference, is_cut_otherwise, whole_of

_MODEL = 'a Hub name, a folder, a run\'s checkpoint (run:demo-1@40), or "demo"'
_SHOWN_CHARACTERS = 18


def show_tokens(
    run_id: RunId,
    step: Annotated[int | None, typer.Option(min=1, help="the training step, the latest if not given")] = None,
    group: Annotated[int, typer.Option(min=1, help="which group of the step")] = 1,
    completion: Annotated[int, typer.Option(min=1, help="which completion of the group")] = 1,
    beside: Annotated[int | None, typer.Option(min=1, help="another one of the group, and where the two part")] = None,
    model: Annotated[str | None, typer.Option(help=f"{_MODEL}; the run's newest checkpoint if not given")] = None,
    against: Annotated[str | None, typer.Option(help="the model to compare with; what the run began with if not given")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="ends in .csv or .json: the table as a file")] = None,
    as_json: AsJson = False,
) -> int:
    """A completion's tokens under two models: log-probability, entropy, their ratio, and KL at each place, in nats."""
    if out is not None and out.suffix not in (".csv", ".json"):
        raise typer.BadParameter(f"{str(out)!r} ends neither in .csv nor in .json", param_hint="--out")
    home, store = open_here(rewards=False)
    run = store.job(run_id)
    config = scored_config(run)
    rollouts = _chosen(
        store, run_id, step or store.last_rollout_step(run_id), group, [completion, *([beside] if beside else [])]
    )
    models = _models(store, home, run_id, model, against)
    asked = Models(*models, chat_template=config.chat_template, precision=kept_precision(config))
    request = token_request(config, _problem(home, config.source, config.content_hash, rollouts[0].problem_id), rollouts)
    scored = _scored(home, asked, request)
    found = [((rollout.step, group, rollout.position + 1), tokens) for rollout, tokens in zip(rollouts, scored, strict=True)]
    if out is not None:
        text = csv_text(found) if out.suffix == ".csv" else json.dumps(table_rows(found), ensure_ascii=False, indent=1)
        _write(out, text)
        print(out)
    elif as_json:
        print(json.dumps(_facts(run_id, asked, request, rollouts, found), ensure_ascii=False, indent=2))
    else:
        print(*_lines(asked, request, rollouts, found), sep="\n")
    return 0


def _chosen(store: Store, run_id: str, step: int, group: int, places: Sequence[int]) -> list[Rollout]:
    by_place = {rollout.position + 1: rollout for rollout in group_rollouts(store, run_id, step, group - 1)}
    for place in places:
        if place not in by_place:
            there = f"there are {', '.join(map(str, by_place))}" if by_place else "there is no such group"
            raise StoreError(
                f"{run_id} has no completion {place} in group {group} of step {step:,}: {there}.",
                "The run's tab Completions shows what there is.",
            )
    return [by_place[place] for place in places]


def _models(store: Store, home: Home, run_id: str, model: str | None, against: str | None) -> tuple[str, str]:
    named = [recorded_model(name, store) if name else "" for name in (model, against)]
    if all(named):
        return named[0], named[1]
    usual = default_models(store.job(run_id), store, home)
    return named[0] or usual[0], named[1] or usual[1]


def _problem(home: Home, source: str, content_hash: str, problem_id: str) -> Problem | None:
    problem_set = load_problems(source, home)
    problem_set.require_content(content_hash)
    return next((problem for problem in problem_set.problems if problem.id == problem_id), None)


def _scored(home: Home, models: Models, request: Request) -> list[Scored]:
    """By a process of its own, as on a page: the accelerator is asked for there, and given back."""
    print(f"loading {models}", file=sys.stderr)
    playground = Playground(home)
    try:
        return playground.score(models, request).future.result()
    finally:
        playground.stop()


def _write(out: Path, text: str) -> None:
    try:
        replace_file(out, lambda file: file.write(text.encode()))
    except OSError as error:
        raise SourceError(
            f"{out} cannot be written ({error.strerror}).", "Name a file in a folder that is there and has room."
        ) from error


def _facts(
    run_id: str, models: Models, request: Request, rollouts: Sequence[Rollout], found: Sequence[tuple[Place, Scored]]
) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "problem_id": rollouts[0].problem_id,
        "model": models.model,
        "against": models.against,
        "temperature": request.temperature,
        "parted_at": _parted_at(found),
        "completions": [
            {
                "completion": place[2],
                "tokens": len(scored.ids),
                "tokens_on_record": rollout.tokens,
                **vars(whole_of(scored)),
            }
            for rollout, (place, scored) in zip(rollouts, found, strict=True)
        ],
        "tokens": table_rows(found),
    }


def _parted_at(found: Sequence[tuple[Place, Scored]]) -> int | None:
    """The place, from 1, of the first token in which two completions differ."""
    place = first_difference(found[0][1].ids, found[1][1].ids) if len(found) > 1 else None
    return None if place is None else place + 1


def _lines(
    models: Models, request: Request, rollouts: Sequence[Rollout], found: Sequence[tuple[Place, Scored]]
) -> Iterator[str]:
    yield models.model
    yield f"against {models.against}, in nats, at temperature {request.temperature:g}"
    parted_at = _parted_at(found)
    for rollout, (place, scored) in zip(rollouts, found, strict=True):
        yield from _heading(rollout, place, scored)
        yield f"  {'':>5}  {'token':<{_SHOWN_CHARACTERS}}{'log p':>9}{'entropy':>9}{'ratio':>9}{'KL':>9}  likeliest"
        for row in table_rows([(place, scored)]):
            figures = "".join(f"{_figure(row[name]):>9}" for name in ("logprob", "entropy", "log_ratio", "kl"))
            mark = "*" if row["place"] == parted_at else " "
            yield f"{mark} {row['place']:>5}  {_token(row['shown']):<{_SHOWN_CHARACTERS}}{figures}  {_token(row['likeliest'])}"
    if parted_at:
        yield f"The two part at token {parted_at} (*)."


def _heading(rollout: Rollout, place: Place, scored: Scored) -> Iterator[str]:
    step, group, completion = place
    whole = whole_of(scored)
    yield f"Step {step:,}, group {group}, completion {completion}, {rollout.problem_id}: {count(len(scored.ids), 'token')}"
    if is_cut_otherwise(scored, rollout.tokens):
        yield f"  {OTHER_CUT.format(rollout.tokens)}"
    under = f"log-probability {_figure(whole.logprob)}, {_figure(whole.against_logprob)} under the other"
    yield f"  {under}; KL {_figure(whole.kl)}; mean entropy {_figure(whole.entropy)}"


def _token(text: str) -> str:
    written = json.dumps(text, ensure_ascii=False)
    return written if len(written) < _SHOWN_CHARACTERS else f"{written[: _SHOWN_CHARACTERS - 2]}…"


def _figure(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
