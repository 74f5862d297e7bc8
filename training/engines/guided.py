"""Search by steps: beam search and DVTS, in which the scores of what is written so far decide what is written on.

As search-and-learn does both (Beeching et al. 2024, "Scaling test-time compute with open models"): N beams take a step each;
beam search goes on with the best N / M of all, DVTS (diverse verifier tree search) with the best of each of its N / M trees,
and either tries M continuations of each. A step ends with the line break behind a line of reasoning, or with the completion.
What scores steps, and what counts as one, is handed in.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from typing import Any, Literal
from zlib import crc32

import torch
from transformers import StoppingCriteria, StoppingCriteriaList

from training.engines.hugging_face import chat_ids, eos_token_ids
from training.prompts import Message, Prompt

SearchName = Literal["beam", "dvts"]

StepsOf = Callable[[str], Sequence[object]]
"""The steps of a completion, or of a part of one."""
ScoreSteps = Callable[[Sequence[tuple[str, str]]], list[list[float]]]
"""(question, completion so far) of each -> the scores of its steps."""


@dataclass(frozen=True)
class Beam:
    """A completion that is being written."""

    ids: tuple[int, ...] = ()
    text: str = ""
    score: float = 0.0
    """Of its last step."""
    done: bool = False
    """Whether the model ended it, or it is as long as it may be."""


@dataclass
class _Tree:
    """The search for one problem's completions."""

    prompt: list[Message]
    beams: list[Beam]
    """Those that take the next step, as many as are asked for; none when the search is over."""
    finished: list[Beam] = field(default_factory=list)
    spent: int = 0
    """Tokens generated, those of discarded steps included."""

    @property
    def question(self) -> str:
        return self.prompt[-1]["content"]


class GuidedSearch:
    """Completes prompts by a search, as engines complete them."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        name: SearchName,
        *,
        number: int,
        width: int,
        score: ScoreSteps,
        steps_of: StepsOf,
    ) -> None:
        """Take what completes, and how.

        Args:
            number: N, beams a problem.
            width: M, continuations of a beam that are tried; N is a multiple of it.
        """
        self._model, self._tokenizer = model, tokenizer
        self._kept = _KEPT[name]
        self._number, self._width = number, width
        self._score, self._steps_of = score, steps_of
        self._ends = eos_token_ids(model, tokenizer)
        self._breaks = torch.zeros(max(len(tokenizer), model.config.vocab_size), dtype=torch.bool)
        self._breaks[: len(tokenizer)] = torch.tensor([_breaks_line(tokenizer, token) for token in range(len(tokenizer))])

    def __call__(
        self, prompts: Sequence[Prompt], longest: int, temperature: float, seed: int | None = None, /
    ) -> list[tuple[str, int]]:
        """(completion, tokens) a prompt; the same problems have the same completions each time.

        Args:
            prompts: conversations, N in a row of one problem.
            longest: of a completion, in tokens.
            temperature: above 0.
            seed: of what is drawn; one that follows from the questions where none is given.

        Returns:
            A problem's completions; their tokens together are all that were generated for it.
        """
        number = self._number
        trees = [_Tree(prompt, [Beam()] * number) for prompt in prompts[::number] if not isinstance(prompt, str)]
        asked = "\0".join(tree.question for tree in trees)
        torch.manual_seed(crc32(asked.encode("utf-8", "surrogatepass")) if seed is None else seed)
        while growing := [tree for tree in trees if tree.beams]:
            self._grow(growing, longest, temperature)
        return [found for tree in trees for found in _results(tree, number)]

    def _grow(self, trees: Sequence[_Tree], longest: int, temperature: float) -> None:
        """Let each beam take a step, and decide which go on."""
        beams = [beam for tree in trees for beam in tree.beams]
        prompts = [
            ids
            for tree, ids in zip(trees, chat_ids(self._tokenizer, [tree.prompt for tree in trees]), strict=True)
            for _ in tree.beams
        ]
        written = self._step(beams, prompts, longest, temperature)
        questions = [tree.question for tree in trees for _ in tree.beams]
        scores = self._score(list(zip(questions, (beam.text for beam in written), strict=True)))
        scored = iter([replace(beam, score=found[-1] if found else 0.0) for beam, found in zip(written, scores, strict=True)])
        for tree in trees:
            new = list(islice(scored, len(tree.beams)))
            tree.spent += sum(len(beam.ids) for beam in new) - sum(len(beam.ids) for beam in tree.beams)
            tree.beams, finished = self._kept(new, self._width)
            tree.finished += finished

    def _step(self, beams: Sequence[Beam], prompts: Sequence[list[int]], longest: int, temperature: float) -> list[Beam]:
        """The beams, each with a step more; all in one batch."""
        rows = [[*prompt, *beam.ids] for prompt, beam in zip(prompts, beams, strict=True)]
        inputs = self._tokenizer.pad({"input_ids": rows}, padding_side="left", return_tensors="pt").to(self._model.device)
        start = inputs["input_ids"].shape[1]
        stop = _StepEnds(self._tokenizer, self._breaks.to(self._model.device), start, self._steps_of)
        with torch.inference_mode():
            output = self._model.generate(
                **inputs,
                max_new_tokens=longest - min(len(beam.ids) for beam in beams),
                pad_token_id=self._tokenizer.pad_token_id,
                eos_token_id=self._ends,
                repetition_penalty=1.0,
                do_sample=True,
                temperature=temperature,
                top_k=0,
                top_p=1.0,
                stopping_criteria=StoppingCriteriaList([stop]),
            )
        return [self._longer(beam, new, longest) for beam, new in zip(beams, output[:, start:].tolist(), strict=True)]

    def _longer(self, beam: Beam, new: Sequence[int], longest: int) -> Beam:
        """A beam with the tokens of a step, up to where that ended."""
        taken: list[int] = []
        for token in new[: longest - len(beam.ids)]:
            taken.append(token)
            if token in self._ends or (self._breaks[token] and self._steps_of(self._text(taken))):
                break
        ids = (*beam.ids, *taken)
        return Beam(ids, self._text(ids), done=taken[-1] in self._ends or len(ids) >= longest)

    def _text(self, ids: Sequence[int]) -> str:
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True)
        return text


def _breaks_line(tokenizer: Any, token: int) -> bool:
    return "\n" in tokenizer.decode([token])


class _StepEnds(StoppingCriteria):
    """Whether the last token of a row breaks the line behind a step."""

    def __init__(self, tokenizer: Any, breaks: torch.Tensor, start: int, steps_of: StepsOf) -> None:
        self._tokenizer, self._breaks, self._start, self._steps_of = tokenizer, breaks, start, steps_of

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        """(N,) bool."""
        ends = self._breaks[input_ids[:, -1]].clone()
        for row in ends.nonzero().flatten().tolist():
            ends[row] = bool(self._steps_of(self._tokenizer.decode(input_ids[row, self._start :], skip_special_tokens=True)))
        return ends


def best_of_all(beams: Sequence[Beam], width: int) -> tuple[list[Beam], list[Beam]]:
    """Beam search: (the best N / M of those that are not done, in turn until there are N; those that are done)."""
    going = _ranked(beam for beam in beams if not beam.done)[: len(beams) // width]
    return list(islice(cycle(going), len(beams))), [beam for beam in beams if beam.done]


def best_of_each(beams: Sequence[Beam], width: int) -> tuple[list[Beam], list[Beam]]:
    """DVTS: (the best of each tree, M times; all M of a tree whose best is done, those that are not as they stand)."""
    trees = [beams[start : start + width] for start in range(0, len(beams), width)]
    going = [best for tree in trees if not (best := _ranked(tree)[0]).done for _ in range(width)]
    return going, [beam for tree in trees if _ranked(tree)[0].done for beam in tree]


_KEPT: Mapping[SearchName, Callable[[Sequence[Beam], int], tuple[list[Beam], list[Beam]]]] = {
    "beam": best_of_all,
    "dvts": best_of_each,
}
"""Search -> what becomes of the beams that took a step: which take the next one, and which are finished."""


def _ranked(beams: Any) -> list[Beam]:
    """The best first, of equal ones the first."""
    return sorted(beams, key=lambda beam: beam.score, reverse=True)


def _results(tree: _Tree, number: int) -> list[tuple[str, int]]:
    """The best of those that finished, as many as were asked for, with their shares of all tokens; too few stand repeatedly."""
    best = islice(cycle(_ranked(tree.finished)), number)
    return [(beam.text, tree.spent // number + (place < tree.spent % number)) for place, beam in enumerate(best)]
