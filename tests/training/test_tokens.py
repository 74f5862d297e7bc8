"""Scores by token: equal to what transformers says directly, however long and however it is cut; texts join back exactly."""

import csv
import io
import json
import math
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.tiny_runs import few_problems, rewarding_length, run_to_the_end, tiny, trainer_of
from training.__main__ import main
from training.command_line import token_scores
from training.data.problems import load_problems
from training.errors import CheckpointError, ConfigError, ModelError, SourceError
from training.groups import Rollout
from training.home import DEMO_MODEL, Home
from training.jobs.playground import Exchange, Models, Playground, Scores
from training.models.beginnings import begun_with
from training.store import Store
from training.store.ledger import group_rollouts
from training.stored_config import ImportedConfig
from training.tokens.asking import default_models, kept_precision, scored_config, token_request
from training.tokens.files import csv_text, table_rows
from training.tokens.measuring import measure, score
from training.tokens.pair import Pair, load_pair
from training.tokens.pieces import cut
from training.tokens.scores import Request, Scored, Text, first_difference, is_cut_otherwise, storable, token_rows, whole_of

PROMPT = ({"role": "system", "content": "Think."}, {"role": "user", "content": "Tom has 3 apples and buys 4. How many?"})
HARD_TEXT = "<reasoning>\n 3 + 4 = 7 €, naïve 🙂🙂\r\n\tNA =1+2\n</reasoning>\n<answer>\n7\n</answer> <|end|>"


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(DEMO_MODEL)


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Folders of two adapters on the demo model that do something, each something else."""
    folders = []
    for seed in range(2):
        torch.manual_seed(seed)
        settings = LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
        model = get_peft_model(AutoModelForCausalLM.from_pretrained(DEMO_MODEL), settings)
        folder = tmp_path_factory.mktemp("adapter")
        model.save_pretrained(folder)
        AutoTokenizer.from_pretrained(DEMO_MODEL).save_pretrained(folder)
        folders.append(str(folder))
    return folders


def direct(model: Any, prompt: list[int], completion: list[int], temperature: float = 1.0) -> torch.Tensor:
    """(T, V) log-probabilities from one pass over the whole sequence."""
    with torch.no_grad():
        logits = model(torch.tensor([[*prompt, *completion]])).logits[0]
    return (logits[len(prompt) - 1 : -1].double() / temperature).log_softmax(-1)


def close(values: list[float | None], wanted: torch.Tensor) -> bool:
    return torch.allclose(torch.tensor(values, dtype=torch.float64), wanted.double(), atol=2e-4)


def check(scored: Scored, mine: torch.Tensor, other: torch.Tensor) -> None:
    """Every value against the log-probabilities of both models, by the formulas."""
    ids = torch.tensor(scored.ids)[:, None]
    for measured, logprobs in ((scored.model, mine), (scored.against, other)):
        assert close(measured.logprob, logprobs.gather(1, ids)[:, 0])
        assert close(measured.entropy, torch.distributions.Categorical(logits=logprobs).entropy())
        assert close(measured.likeliest_logprob, logprobs.max(-1).values)
    of = torch.distributions.Categorical
    assert close(scored.kl, torch.distributions.kl_divergence(of(logits=mine), of(logits=other)))
    assert close(scored.ratio, (mine - other).gather(1, ids)[:, 0])


def test_values_are_those_of_one_pass_of_transformers(tokenizer: Any, adapters: list[str]) -> None:
    request = Request(prompt=PROMPT, texts=(Text(completion=HARD_TEXT, ended=True), Text(completion="7", ended=False)))
    found = score(load_pair(adapters[0], "demo"), request)
    prompt = tokenizer.apply_chat_template(list(PROMPT), add_generation_prompt=True, return_dict=False)
    base = AutoModelForCausalLM.from_pretrained(DEMO_MODEL)
    trained = AutoModelForCausalLM.from_pretrained(adapters[0])
    for scored in found:
        check(scored, direct(trained, prompt, scored.ids), direct(base, prompt, scored.ids))
        words = [tokenizer.decode([token]) for token in direct(base, prompt, scored.ids).argmax(-1).tolist()]
        assert scored.against.likeliest == words
    assert found[0].ids[-1] == tokenizer.eos_token_id
    assert max(abs(value or 0.0) for value in found[0].ratio) > 0.1, "the adapter does something"


def test_logits_are_divided_by_the_temperature(tokenizer: Any) -> None:
    request = Request(prompt=PROMPT, texts=(Text(completion="7 apples", ended=True),), temperature=2.5)
    (scored,) = score(load_pair("demo", "demo"), request)
    prompt = tokenizer.apply_chat_template(list(PROMPT), add_generation_prompt=True, return_dict=False)
    logprobs = direct(AutoModelForCausalLM.from_pretrained(DEMO_MODEL), prompt, scored.ids, 2.5)
    check(scored, logprobs, logprobs)


@pytest.mark.parametrize("piece", [1, 7, 64])
def test_a_sequence_read_in_pieces_scores_the_same(tokenizer: Any, adapters: list[str], piece: int) -> None:
    pair = load_pair(adapters[0], adapters[1])
    prompt = tokenizer.apply_chat_template(list(PROMPT), add_generation_prompt=True, return_dict=False)
    ids = cut(tokenizer, Text(completion=HARD_TEXT, ended=True))[0]
    whole, pieces = measure(pair, prompt, ids), measure(pair, prompt, ids, piece_logits=piece * len(tokenizer))
    assert close(pieces[0].logprob, torch.tensor(whole[0].logprob))
    assert close(pieces[1].entropy, torch.tensor(whole[1].entropy))
    assert close(pieces[2], torch.tensor(whole[2]))


def test_memory_goes_by_the_piece_and_not_by_the_sequence(tokenizer: Any) -> None:
    """The logits that exist at once, as the forward passes were asked for them."""
    lengths: list[int] = []

    class Told(torch.nn.Module):
        def forward(self, ids: list[int], cache: Any) -> Any:
            lengths.append(len(ids))
            logits = torch.zeros(1, len(ids), len(tokenizer))
            return type("Output", (), {"logits": logits, "past_key_values": ()})

    pair = Pair(("a", "b"), Told(), tokenizer, Told(), tokenizer)
    measured, _, kl = measure(pair, [1] * 100, [5] * 5000, piece_logits=128 * len(tokenizer))
    assert max(lengths) == 128
    assert len(measured.logprob) == len(kl) == 5000
    assert measured.logprob[0] == pytest.approx(-math.log(len(tokenizer)), abs=1e-5)


@pytest.mark.parametrize(("first", "second"), [("model", "base"), ("base", "model"), ("model", "other"), ("model", "model")])
def test_models_on_one_base_share_its_weights_and_score_as_each_alone(
    adapters: list[str], tokenizer: Any, first: str, second: str
) -> None:
    names = {"model": adapters[0], "other": adapters[1], "base": "demo"}
    pair = load_pair(names[first], names[second])
    prompt = tokenizer.apply_chat_template(list(PROMPT), add_generation_prompt=True, return_dict=False)
    alone = [
        AutoModelForCausalLM.from_pretrained(DEMO_MODEL if names[name] == "demo" else names[name]) for name in (first, second)
    ]
    request = Request(prompt=PROMPT, texts=(Text(completion=HARD_TEXT, ended=True),))
    (scored,) = score(pair, request)
    check(scored, direct(alone[0], prompt, scored.ids), direct(alone[1], prompt, scored.ids))


@pytest.mark.parametrize(
    "text",
    ["", " ", "\n\n", "7", HARD_TEXT, "🙂", "naïve  two  spaces ", "a\x00b", "\u2028", "e\u0301", "👩‍👩‍👧", "日本語のテキスト"],
)
def test_tokens_join_back_to_the_exact_text(tokenizer: Any, text: str) -> None:
    for ended in (False, True):
        ids, texts, parts = cut(tokenizer, Text(completion=text, ended=ended))
        assert "".join(texts) == text
        assert len(ids) == len(texts) == len(parts)


def test_a_character_of_several_tokens_stands_at_the_first_and_the_others_say_so() -> None:
    (scored,) = score(load_pair("demo", "demo"), Request(prompt=PROMPT, texts=(Text(completion="a🙂b", ended=True),)))
    assert scored.texts == ["a", "🙂", "", "", "", "b", ""]
    shown = [scored.shown(place) for place in range(len(scored.ids))]
    assert shown == ["a", *(f"🙂 (part {part} of 4)" for part in range(1, 5)), "b", "end of turn"]


def test_what_reads_like_a_special_token_is_letters(tokenizer: Any) -> None:
    ids, *_ = cut(tokenizer, Text(completion="<|end|>", ended=False))
    assert tokenizer.eos_token_id not in ids


def test_halves_of_surrogates_are_replaced_one_by_one() -> None:
    assert storable("a\ud800b\udfff") == "a\ufffdb\ufffd"


def test_a_tokenizer_without_offsets_is_refused() -> None:
    slow = type("Slow", (), {"is_fast": False, "name_or_path": "some/model"})()
    with pytest.raises(ModelError, match="does not say which characters"):
        cut(slow, Text(completion="x", ended=False))


def test_models_that_cut_text_otherwise_are_not_compared(tmp_path: Path, tokenizer: Any) -> None:
    other = AutoTokenizer.from_pretrained(DEMO_MODEL)
    other.add_tokens(["apples"])
    AutoModelForCausalLM.from_pretrained(DEMO_MODEL).save_pretrained(tmp_path)
    other.save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="into different tokens"):
        score(load_pair(str(tmp_path), "demo"), Request(prompt=PROMPT, texts=(Text(completion="7 apples", ended=True),)))


def test_a_model_that_keeps_nothing_of_what_it_read_is_refused(tokenizer: Any) -> None:
    def forgetful(ids: list[int], cache: Any) -> Any:
        return type("Output", (), {"logits": torch.zeros(1, len(ids), 4)})

    pair = Pair(("a", "b"), forgetful, tokenizer, forgetful, tokenizer)
    with pytest.raises(ModelError, match="does not keep what it has read"):
        measure(pair, [1], [2])


def test_what_a_model_rules_out_has_no_value_and_spoils_no_other(tokenizer: Any) -> None:
    def ruling_out(token: int | None) -> Any:
        def forward(ids: list[int], cache: Any) -> Any:
            logits = torch.zeros(1, len(ids), 4)
            if token is not None:
                logits[:, :, token] = -math.inf
            return type("Output", (), {"logits": logits, "past_key_values": ()})

        return forward

    pair = Pair(("a", "b"), ruling_out(2), tokenizer, ruling_out(None), tokenizer)
    mine, other, kl = measure(pair, [1], [2, 3])
    assert mine.logprob == [None, pytest.approx(-math.log(3))]
    assert mine.entropy == pytest.approx([math.log(3)] * 2)
    assert kl == pytest.approx([math.log(4 / 3)] * 2)
    assert measure(Pair(("b", "a"), ruling_out(None), tokenizer, ruling_out(2), tokenizer), [1], [2])[2] == [None]
    assert other.logprob == pytest.approx([-math.log(4)] * 2)


def test_where_two_completions_part() -> None:
    assert first_difference([1, 2, 3], [1, 5, 3]) == 1
    assert first_difference([1, 2], [1, 2, 3]) == 2
    assert first_difference([1, 2], [1, 2]) is None
    assert first_difference([], [4]) == 0


def test_the_prompt_and_the_values_are_those_that_trl_trained_with(home: Home) -> None:
    """Of a real step: the tokens that TRL's trainer put before the completions, and its own log-probabilities of them."""
    kept: dict[str, Any] = {}
    config = tiny(max_steps=1, temperature=0.7, system_turn="user", num_iterations=2)
    rollouts: list[Rollout] = []
    with rewarding_length():
        trainer = trainer_of(config, home, rollouts.extend)
        generate = trainer._generate_and_score_completions

        def keeping(inputs: Any) -> Any:
            batch = generate(inputs)
            kept.update(batch, logprobs=trainer._get_per_token_logps_and_entropies(
                trainer.model,
                torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1),
                torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1),
                batch["completion_ids"].shape[1],
            )[0].detach())  # fmt: skip
            return batch

        trainer._generate_and_score_completions = keeping
        trainer.train()
    problems = {problem.id: problem for problem in few_problems().problems}
    pair = load_pair("demo", "demo", config.chat_template)
    compared = 0
    for row, rollout in enumerate(rollouts):
        request = token_request(config, problems[rollout.problem_id], [rollout])
        prompt = kept["prompt_ids"][row][kept["prompt_mask"][row].bool()].tolist()
        assert pair.tokenizer.apply_chat_template(list(request.prompt), add_generation_prompt=True, return_dict=False) == prompt
        drawn = kept["completion_ids"][row][kept["completion_mask"][row].bool()].tolist()
        (scored,) = score(pair, request)
        assert is_cut_otherwise(scored, rollout.tokens) == (len(scored.ids) != len(drawn))
        if scored.ids == drawn:
            compared += 1
            assert close(scored.model.logprob, kept["logprobs"][row][: len(drawn)])
    assert compared
    assert len({rollout.problem_id for rollout in rollouts}) == 2


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, str]:
    """A home with a real run of two steps that trains an adapter."""
    home = Home.from_environment({"GRPO_ATLAS_HOME": str(tmp_path_factory.mktemp("trained"))})
    store = Store.open(home.store_url)
    with rewarding_length():
        problem_set = load_problems("demo")
        config = tiny(lora_rank=2, save_steps=1, content_hash=problem_set.content_hash)
        run = run_to_the_end(store, home, config, problem_set)
    store.close()
    return home, run.id


def test_a_run_is_scored_under_its_newest_checkpoint_against_what_it_began_with(trained: tuple[Home, str]) -> None:
    home, run_id = trained
    store = Store.open(home.store_url)
    run = store.job(run_id)
    model, against = default_models(run, store, home)
    assert (Path(model).name, against) == ("checkpoint-2", "demo")
    config = scored_config(run)
    rollouts = group_rollouts(store, run_id, 1, 1)
    assert [rollout.position for rollout in rollouts] == [0, 1]
    problem = next(found for found in load_problems("demo").problems if found.id == rollouts[0].problem_id)
    playground = Playground(home)
    try:
        request = token_request(config, problem, rollouts)
        scored = playground.score(Models(model, against), request).future.result(timeout=600)
        wrong = playground.score(Models(model, str(home.root)), request).future
        with pytest.raises(ModelError):
            wrong.result(timeout=600)
    finally:
        playground.stop()
    assert ["".join(found.texts) for found in scored] == [rollout.completion for rollout in rollouts]
    assert sum(value or 0.0 for value in scored[0].kl) > 0


class InThisProcess(Playground):
    """Scores where it is asked, so that a test need not start a process for each question."""

    def score(self, models: Models, request: Request) -> Scores:
        models.stamps()
        pair = load_pair(models.model, models.against, models.chat_template, models.precision)
        exchange: Scores = Exchange(models, request, 0.0, Future())
        exchange.future.set_result(score(pair, request))
        return exchange


@pytest.fixture
def at_home(trained: tuple[Home, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of that run, in whose home commands are given."""
    monkeypatch.setenv("GRPO_ATLAS_HOME", str(trained[0].root))
    monkeypatch.delenv("GRPO_ATLAS_STORE", raising=False)
    monkeypatch.setattr(token_scores, "Playground", InThisProcess)
    return trained[1]


def test_the_command_prints_a_table_and_writes_what_pandas_reads(
    trained: tuple[Home, str], at_home: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    home, run_id = trained
    of = ["tokens", run_id, "--step", "1", "--group", "2", "--completion", "1", "--beside", "2"]
    assert main([*of, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [row["completion"] for row in facts["completions"]] == [1, 2]
    assert main([*of, "--out", str(tmp_path / "tokens.csv")]) == 0
    table = pd.read_csv(tmp_path / "tokens.csv")
    assert len(table) == len(facts["tokens"])
    assert table["log_ratio"].tolist() == pytest.approx([row["log_ratio"] for row in facts["tokens"]])
    store = Store.open(home.store_url)
    for position, rows in table.groupby("completion"):
        assert "".join(rows["token"].map(json.loads)) == group_rollouts(store, run_id, 1, 1)[int(position) - 1].completion
    parted = facts["parted_at"]
    both = [table[table["completion"] == number]["id"].tolist() for number in (1, 2)]
    assert both[0][: parted - 1] == both[1][: parted - 1]
    assert both[0][parted - 1 : parted] != both[1][parted - 1 : parted]
    assert main([*of, "--against", f"run:{run_id}@1", "--out", str(tmp_path / "tokens.json")]) == 0
    assert [row["kl"] for row in pd.read_json(tmp_path / "tokens.json").to_dict("records")] != table["kl"].tolist()
    assert main(of) == 0
    said = capsys.readouterr().out
    assert f"The two part at token {parted} (*)." in said
    assert "against demo, in nats, at temperature 2" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--step", "9"], "has no completion 1 in group 1 of step 9: there is no such group"),
        (["--completion", "3"], "there are 1, 2"),
        (["--out", "x.parquet"], "ends neither in .csv nor in .json"),
        (["--model", "run:nobody-1"], "There is no run 'nobody-1'"),
        (["--against", "/no/such/model"], "There is no folder '/no/such/model'"),
    ],
)
def test_what_cannot_be_scored_is_said(
    at_home: str, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    assert main(["tokens", at_home, *options]) == 2
    assert message in capsys.readouterr().err


def test_a_table_survives_what_tokens_may_be(tokenizer: Any) -> None:
    texts = (Text(completion='=1+2,"quoted"\nNA\n', ended=True), Text(completion="", ended=False))
    scored = score(load_pair("demo", "demo"), Request(prompt=PROMPT, texts=texts))
    found = [((1, 1, place), part) for place, part in enumerate(scored, start=1)]
    rows = list(csv.DictReader(io.StringIO(csv_text(found))))
    assert "".join(json.loads(row["token"]) for row in rows) == texts[0].completion
    assert pd.read_csv(io.StringIO(csv_text(found)))["token"].map(json.loads).tolist() == scored[0].texts
    assert all(not row["token"].startswith("=") for row in rows)
    assert len(table_rows(found)) == len(scored[0].ids) == len(list(token_rows(scored[0])))
    assert whole_of(scored[0]).kl == 0
    assert whole_of(scored[1]).logprob == 0


def test_an_imported_run_says_that_nobody_knows_its_model(store: Store) -> None:
    config = ImportedConfig(model="trl", source="demo", rewards={"reward": 1.0}, verifier="reward", path="x", layout="trl")
    job, _ = store.create_job("import", "import", config.model_dump(mode="json"))
    with pytest.raises(ConfigError, match="neither its model nor its prompt"):
        scored_config(job)


def test_a_run_without_a_checkpoint_and_a_problem_that_is_gone_are_said(store: Store, home: Home) -> None:
    job, _ = store.create_job("train", "tiny", tiny().model_dump(mode="json"))
    with pytest.raises(CheckpointError, match="has no checkpoint"):
        default_models(job, store, home)
    rollout = Rollout(1, 0, 0, "train-0", "7", {}, None, 0.0, 1, "stop")
    with pytest.raises(SourceError, match="train-0 is not in demo"):
        token_request(tiny(), None, [rollout])


def test_a_run_that_began_with_a_checkpoint_is_compared_with_what_it_kept_of_it(store: Store, home: Home) -> None:
    job, _ = store.create_job("train", "tiny", tiny(model="run:gone-1@4").model_dump(mode="json"))
    kept = home.job_folder(job.id) / "base"
    kept.mkdir(parents=True)
    assert begun_with(job, store, home) == str(kept)


def test_weights_that_were_trained_in_full_are_compared_in_float32() -> None:
    assert kept_precision(tiny()) == "float32"
    assert kept_precision(tiny(lora_rank=4)) == "auto"
