"""Preflight: each finding when its reason is there and only then, without torch; what `launch` refuses."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.fakes import full_demo_run, record_evaluation
from training.__main__ import main
from training.data.problem import ProblemSet
from training.data.problems import load_problems
from training.engines import vllm_on_cpu
from training.errors import ConfigError
from training.groups import Rollout
from training.home import DEMO_MODEL, Home
from training.machines import Gpu, Machine, parse_gpus, visible_gpus
from training.preflight import Preflight, model_files, preflight
from training.preflight.settings import pays_for_right
from training.presets import load_preset, preset_paths
from training.prior import keep_prior, kept_prior
from training.rewards import REWARDS
from training.runs.launch import launch_run
from training.sampling.pools import Outcome
from training.store import Store
from training.store.evaluations import EvaluationItem

HEAVY = ("torch", "transformers", "trl", "peft", "datasets", "accelerate", "wandb")

CPU = Machine(gpus=(), memory_gib=16, disk_free_gib=100, has_cuda_torch=False)
A100 = Machine(gpus=(Gpu("A100", 80, 8.0),), memory_gib=128, disk_free_gib=1000, has_cuda_torch=True)
T4 = Machine(gpus=(Gpu("T4", 15, 7.5),), memory_gib=16, disk_free_gib=100, has_cuda_torch=True)


@pytest.fixture(scope="module")
def demo() -> ProblemSet:
    return load_problems("demo")


OF_SUMS = {"multi_objective_aggregation": "sum_then_normalize"}
"""Unlike the demo, whose rewards are normalised one by one."""


def check(demo: ProblemSet, store: Store, machine: Machine | None = CPU, **settings: Any) -> Preflight:
    return preflight(full_demo_run(**settings), demo, store, machine)


def told(found: Preflight, about: str) -> str:
    """Severity and text of the one finding about a setting, "" when there is none."""
    findings = [finding for finding in found.findings if finding.about == about]
    assert len(findings) <= 1
    return f"{findings[0].severity}: {findings[0].text}" if findings else ""


def test_nothing_speaks_against_the_demo(demo: ProblemSet, store: Store) -> None:
    assert not [finding for finding in check(demo, store).findings if finding.severity != "note"]


@pytest.mark.parametrize(("characters", "counted"), [(0, True), (4_000, True), (120_000, True), (1_000_000, False)])
def test_a_long_system_prompt_costs_no_more_than_a_short_one(
    characters: int, counted: bool, demo: ProblemSet, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands in every prompt whose tokens are counted, so fewer are."""
    given: list[list[str]] = []

    class Counter:
        def encode_batch(self, prompts: list[str], **_: object) -> list[Any]:
            given.append(prompts)
            return [SimpleNamespace(ids=range(len(prompt) // 4)) for prompt in prompts]

    monkeypatch.setattr(model_files, "_tokenizer", lambda path, changed_ns: Counter())
    found = check(demo, store, system_prompt="How many? " * (characters // 10), max_prompt_length=10)
    given = [texts for texts in given if not texts[0].startswith("<reasoning>")]  # solutions are counted without a prompt
    assert bool(given) is counted
    assert sum(map(len, given[0] if given else [])) < 2.2 * model_files.COUNTED_CHARACTERS
    assert told(found, "max_prompt_length").startswith("error: " if counted else "note: At least ")


def test_neither_checking_nor_printing_imports_torch_or_transformers(home: Home) -> None:
    script = "import sys\nfrom training.__main__ import main\n"
    script += "status = main(['preflight', '--set', 'temperature=0.1'])\n"
    script += f"print([name for name in {HEAVY} if name in sys.modules], status)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=home.environment() | {"HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "warning" in done.stdout
    assert done.stdout.splitlines()[-1] == "[] 0"


@pytest.mark.parametrize(
    ("settings", "about", "says"),
    [
        ({"per_device_train_batch_size": 32_000 // 8}, "source", ""),
        ({"evaluation_problems": 401}, "evaluation_problems", "error: evaluation_problems = 401, but Demo has 400 test"),
        ({"evaluate_before": False, "evaluate_after": False}, "evaluation_problems", "note: evaluation_problems = 100, but no"),
        ({"max_completion_length": 512}, "max_completion_length", "error: max_completion_length = 512 fills the model's"),
        ({"max_completion_length": 500}, "max_completion_length", "warning: The longest prompt has"),
        ({"max_prompt_length": 5}, "max_prompt_length", "error: max_prompt_length = 5 leaves no problem"),
        ({"max_prompt_length": 10_000}, "max_prompt_length", ""),
        ({"temperature": 0.2}, "temperature", "warning: At temperature = 0.2"),
        ({"top_k": 1}, "top_k", "error: top_k = 1 always takes the likeliest token"),
        ({"learning_rate": 2e-4}, "learning_rate", "warning: learning_rate = 0.0002 is high"),
        ({"learning_rate": 2e-4, "lora_rank": 8}, "learning_rate", ""),
        ({"learning_rate": 5e-6, "lora_rank": 8}, "learning_rate", "note: learning_rate = 5e-06 is one for training every"),
        ({"min_p": 1.0}, "min_p", "error: min_p = 1 always takes the likeliest token"),
        (
            {"importance_sampling_level": "sequence"},
            "loss_type",
            "warning: importance_sampling_level = sequence with loss_type",
        ),
        ({"importance_sampling_level": "sequence", "loss_type": "grpo"}, "loss_type", ""),
        ({"loss_type": "luspo"}, "importance_sampling_level", "warning: loss_type = luspo is a loss of whole completions"),
        ({"loss_type": "luspo", "importance_sampling_level": "sequence"}, "importance_sampling_level", ""),
        ({"loss_type": "cispo"}, "epsilon_high", "warning: loss_type = cispo caps the ratio at epsilon_high itself: at 0.2"),
        ({"loss_type": "cispo", "epsilon_high": 5.0}, "epsilon_high", ""),
        ({"delta": 1.1, "num_iterations": 2}, "delta", "warning: delta = 1.1 is not above 1.2"),
        ({"delta": 4.0, "num_iterations": 2}, "delta", ""),
        ({"delta": 4.0}, "delta", "note: delta does nothing with num_iterations = 1"),
        (
            {"delta": 4.0, "num_iterations": 2, "loss_type": "sapo"},
            "delta",
            "note: delta does nothing without loss_type = grpo, ",
        ),
        (
            {"epsilon": 0.1, "num_iterations": 2, "loss_type": "vespo"},
            "epsilon",
            "note: epsilon does nothing with loss_type = v",
        ),
        (
            {"off_policy_mask_threshold": 0.5},
            "off_policy_mask_threshold",
            "note: off_policy_mask_threshold does nothing with num",
        ),
        ({"loss_type": "dr_grpo"} | OF_SUMS, "scale_rewards", "note: loss_type = dr_grpo is one half of Dr. GRPO"),
        ({"loss_type": "dr_grpo", "scale_rewards": "none"} | OF_SUMS, "scale_rewards", ""),
        (
            {"method": "rloo", "scale_rewards": "none"} | OF_SUMS,
            "scale_rewards",
            "note: scale_rewards does nothing without method = grpo",
        ),
        ({"method": "rloo", "normalize_advantages": True}, "normalize_advantages", ""),
        (
            {"normalize_advantages": True},
            "normalize_advantages",
            "note: normalize_advantages does nothing without method = rloo",
        ),
        ({"entropy_target": 0.5}, "entropy_target", "note: entropy_target does nothing without use_adaptive_entropy = true"),
        ({"lora_rank": 8, "lora_targets": ("query",)}, "lora_targets", "error: lora_targets: the model has no layer 'query'"),
        ({"lora_rank": 8, "lora_targets": ("self_attn.q_proj",)}, "lora_targets", ""),
        ({"max_steps": 10_000}, "max_steps", "warning: 10,000 steps use each of the 2,000 train problems 20 times"),
        ({"max_steps": 20, "save_steps": 50}, "save_steps", "note: save_steps = 50 is above max_steps = 20"),
        ({"evaluation_steps": 100}, "evaluation_steps", "note: evaluation_steps = 100 leaves no evaluation between"),
        ({"model": "/nowhere"}, "model", "error: There is no folder '/nowhere'"),
        ({"model": "someone/unknown"}, "model", "error: The model 'someone/unknown' is not in the Hub's cache"),
    ],
)
def test_a_setting_is_told_when_it_should_be(
    demo: ProblemSet, store: Store, settings: dict[str, Any], about: str, says: str
) -> None:
    found = told(check(demo, store, **settings), about)
    assert found.startswith(says) if says else not found


@pytest.mark.parametrize(
    ("rewards", "says"),
    [
        ({"correctness": 1, "strict_format": 1, "soft_format": 1}, ""),
        ({"strict_format": 1, "integer": 1}, "warning: No reward pays for a right answer"),
        ({"correctness": -1}, "warning: A reward punishes a right answer"),
        ({"correctness": 0.5, "xml_count": 2}, "warning: A wrong answer in the right form can earn 1"),
        ({"correctness": 1, "integer": -1}, "warning: integer -1: what earns these functions is punished"),
    ],
)
def test_weights_are_held_against_what_the_functions_pay_for(
    demo: ProblemSet, store: Store, rewards: dict[str, float], says: str
) -> None:
    found = told(check(demo, store, rewards=rewards), "rewards")
    assert found.startswith(says) if says else not found


def test_the_articles_weights_are_not_complained_of(demo: ProblemSet, store: Store) -> None:
    assert not told(check(demo, store), "rewards")


def test_only_the_correctness_functions_pay_for_a_right_answer() -> None:
    assert [name for name, reward in REWARDS.items() if pays_for_right(reward)] == [
        "correctness",
        "soft_correctness",
        "value_correctness",
        "math",
        "cosine_length",
        "countdown",
        "flexible_extract",
    ]


def test_settings_that_need_a_gpu_are_told_together_where_there_is_none(demo: ProblemSet, store: Store) -> None:
    settings: dict[str, Any] = {"load_in_4bit": True, "lora_rank": 8, "optim": "adamw_8bit"}
    text = "load_in_4bit = true and optim = adamw_8bit need a GPU"
    assert any(text in finding.text and not finding.certain for finding in check(demo, store, **settings).errors)
    assert not any("GPU" in finding.text for finding in check(demo, store, A100, **settings).findings)


def test_a_gpu_without_bfloat16_is_told_and_one_with_it_not(demo: ProblemSet, store: Store) -> None:
    assert told(check(demo, store, T4, precision="bfloat16"), "precision").startswith("warning: T4 (compute capability 7.5)")
    assert not told(check(demo, store, A100, precision="bfloat16"), "precision")


def test_a_torch_for_cpus_beside_a_gpu_is_told(demo: ProblemSet, store: Store) -> None:
    machine = Machine(A100.gpus, 128, 1000, has_cuda_torch=False)
    assert "the installed torch is a build for CPUs" in told(check(demo, store, machine), "device")


def test_a_big_model_on_a_cpu_is_told_with_the_order_of_its_time(demo: ProblemSet, store: Store) -> None:
    found = check(demo, store, model="Qwen/Qwen2.5-1.5B")
    assert "a step with 1.5 billion parameters" in told(found, "device")


def test_memory_beyond_the_gpu_names_the_largest_part_and_what_makes_it_smaller(demo: ProblemSet, store: Store) -> None:
    found = check(demo, store, T4, model="Qwen/Qwen2.5-3B")
    assert told(found, "memory").startswith("error: T4 has 15.0 GiB, and the run takes at least ")
    tight = check(demo, store, T4, model="Qwen/Qwen2.5-0.5B", max_completion_length=400)
    assert told(tight, "memory").startswith("warning: T4 has 15.0 GiB, and the run takes an estimated ")
    remedy = next(finding.remedy for finding in tight.findings if finding.about == "memory")
    assert "per_device_train_batch_size" in remedy
    assert not told(check(demo, store, A100, model="Qwen/Qwen2.5-0.5B"), "memory")


def test_a_model_whose_weights_must_be_fetched_still_has_its_memory_estimated(demo: ProblemSet, store: Store) -> None:
    found = check(demo, store, A100, model="meta-llama/Llama-3.1-8B-Instruct").memory
    assert found is not None
    assert found.parameters == 8_030_261_248


def test_checkpoints_beyond_the_free_disk_are_an_error(demo: ProblemSet, store: Store) -> None:
    machine = Machine((), 64, 0.1, has_cuda_torch=False)
    assert told(check(demo, store, machine), "disk") == ""  # two of 24 MiB
    assert told(check(demo, store, machine, save_steps=10, save_total_limit=5), "disk").startswith("error: 6 checkpoints")
    assert told(check(demo, store, machine, save_steps=25, save_total_limit=9), "disk").startswith("warning: 4 checkpoints")


@pytest.mark.parametrize(
    ("free_bytes", "shown", "refused"),
    [(0, "0 bytes are free", True), (36 * 1024, "36.0 KiB are free", True), (30 * 2**20, "30.0 MiB are free", True)],
)
def test_a_disk_without_room_for_the_checkpoints_refuses_the_run_in_sizes_that_say_something(
    demo: ProblemSet, store: Store, free_bytes: int, shown: str, refused: bool
) -> None:
    found = check(demo, store, Machine((), 64, free_bytes / 2**30, has_cuda_torch=False))
    [finding] = [finding for finding in found.errors if finding.about == "disk"]
    assert finding.certain is refused
    assert "of 23.6 MiB at once need 47.3 MiB" in finding.text
    assert shown in finding.text


def test_packages_that_are_missing_are_told_with_the_command(
    demo: ProblemSet, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name in ("vllm", "unsloth") else object())
    found = check(demo, store, A100, engine="unsloth", use_vllm=True, lora_rank=8)
    assert told(found, "engine").startswith("error: engine = unsloth and use_vllm = true need unsloth, vllm")
    assert "pip install" in found.errors[0].remedy


def test_vllm_for_cpus_generates_without_a_gpu_for_models_whose_heads_it_takes(
    demo: ProblemSet, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.preflight.machine._absent", lambda package: ())
    monkeypatch.setattr(vllm_on_cpu, "is_installed", lambda: False)
    assert told(check(demo, store, use_vllm=True), "use_vllm").startswith("error: use_vllm = true needs a GPU")
    monkeypatch.setattr(vllm_on_cpu, "is_installed", lambda: True)
    head = json.loads((DEMO_MODEL / "config.json").read_text())["head_dim"]
    monkeypatch.setattr(vllm_on_cpu, "HEAD_SIZES", (head,))
    assert not told(check(demo, store, use_vllm=True), "use_vllm")
    monkeypatch.setattr(vllm_on_cpu, "HEAD_SIZES", (head + 1,))
    assert f"have the size {head}, and vLLM on a CPU takes {head + 1}" in told(check(demo, store, use_vllm=True), "use_vllm")
    assert not told(check(demo, store), "use_vllm")
    assert not told(check(demo, store, A100, use_vllm=True), "use_vllm")
    elsewhere = {"use_vllm": True, "vllm_server": "http://127.0.0.1:8000"}
    assert told(check(demo, store, **elsewhere), "use_vllm").startswith("error: use_vllm = true needs a GPU")


def test_an_engine_that_cannot_combine_settings_says_so(demo: ProblemSet, store: Store) -> None:
    settings: dict[str, Any] = {"use_vllm": True, "load_in_4bit": True, "lora_rank": 8}
    texts = [finding.text for finding in check(demo, store, A100, **settings).errors]
    assert any("cannot generate from load_in_4bit" in text for text in texts)
    served = {"use_vllm": True, "vllm_server": "http://127.0.0.1:8000", "engine": "unsloth", "lora_rank": 8}
    assert "generates in its own process" in told(check(demo, store, A100, **served), "vllm_server")


@pytest.mark.parametrize(
    ("settings", "about"),
    [
        ({"use_adaptive_entropy": True, "engine": "unsloth", "lora_rank": 8}, "use_adaptive_entropy"),
        ({"loss_type": "vespo", "use_vllm": True}, "vllm_importance_sampling_mode"),
        (
            {"method": "rloo", "normalize_advantages": True, "beta": 0.1, "dynamic_sampling_rounds": 1},
            "normalize_advantages",
        ),
    ],
)
def test_what_trl_or_unsloth_would_refuse_or_pass_over_is_refused(
    demo: ProblemSet, store: Store, settings: dict[str, Any], about: str
) -> None:
    (finding,) = [found for found in check(demo, store, A100, **settings).errors if found.about == about]
    assert finding.certain
    instead = {"vllm_importance_sampling_mode": "token_mask", "beta": 0.0, "use_adaptive_entropy": False}
    assert not told(check(demo, store, A100, **settings | instead), about).startswith("error")


def test_sampling_among_few_tokens_bends_what_corrects_for_vllm(demo: ProblemSet, store: Store) -> None:
    narrow = {"top_p": 0.9, "min_p": 0.05}
    assert not told(check(demo, store, A100, **narrow), "top_p")
    assert told(check(demo, store, A100, use_vllm=True, **narrow), "top_p").startswith("warning: With top_p and min_p vLLM's")
    for settings in ({"vllm_importance_sampling_correction": False}, {"method": "rloo"}, {"engine": "unsloth", "lora_rank": 8}):
        assert not told(check(demo, store, A100, use_vllm=True, **narrow, **settings), "top_p")


def test_one_reward_function_has_none_to_be_kept_apart_from(demo: ProblemSet, store: Store) -> None:
    apart = {"multi_objective_aggregation": "normalize_then_sum"}
    assert not told(check(demo, store, **apart), "multi_objective_aggregation")
    alone = check(demo, store, rewards={"correctness": 1.0}, **apart)
    assert told(alone, "multi_objective_aggregation").startswith("note: ")


def test_a_run_with_the_very_same_settings_is_named(demo: ProblemSet, store: Store) -> None:
    config = full_demo_run()
    run = store.create_job("train", "demo", config.model_dump(mode="json"))[0].id
    assert told(check(demo, store), "seed").startswith(f"warning: {run} is queued with exactly these settings, seed included")
    assert not told(check(demo, store, seed=7), "seed")
    store.end(run, "failed", "broken")
    assert not told(check(demo, store), "seed")
    again = store.create_job("train", "demo", config.model_dump(mode="json"))[0].id
    store.end(again, "finished", "done")
    assert told(check(demo, store), "seed").startswith(f"note: {again} finished with exactly these settings")


@pytest.mark.parametrize("preset", sorted(preset_paths()))
def test_no_preset_sets_what_does_nothing_in_it(preset: str, demo: ProblemSet, store: Store) -> None:
    found = preflight(load_preset(preset), demo, store, A100)
    assert [finding.text for finding in found.findings if "does nothing without" in finding.text] == []


def test_wandb_without_a_key_logs_offline(
    demo: ProblemSet, store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    assert told(check(demo, store, wandb=True), "wandb").startswith("note: There is no key")
    monkeypatch.setenv("WANDB_API_KEY", "key")
    assert not told(check(demo, store, wandb=True), "wandb")


def test_another_machine_is_not_judged_by_this_one(demo: ProblemSet, store: Store) -> None:
    found = check(demo, store, None, model="/nowhere", use_vllm=True, optim="adamw_8bit")
    assert [(finding.about, finding.certain) for finding in found.errors] == [("model", False)]


def test_findings_come_in_order_of_severity(demo: ProblemSet, store: Store) -> None:
    severities = [finding.severity for finding in check(demo, store, top_k=1, learning_rate=1e-3, save_steps=500).findings]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)
    assert set(severities) == {"error", "warning", "note"}


def test_launch_refuses_what_is_certain_and_tells_the_rest(home: Home, store: Store) -> None:
    seen: list[Preflight] = []
    with pytest.raises(ConfigError, match="the model has no layer 'query'"):
        launch_run(store, home, full_demo_run(lora_rank=8, lora_targets=("query",), temperature=0.1), tell=seen.append)
    assert told(seen[0], "temperature")
    assert store.jobs() == []


def test_a_dry_run_prints_the_same_as_preflight_and_starts_nothing(
    home: Home, store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GRPO_ATLAS_HOME", str(home.root))
    assert main(["preflight"]) == 0
    printed = capsys.readouterr().out
    assert "Peak" in printed
    assert "no earlier run" in printed
    assert main(["launch", "--dry-run"]) == 0
    assert capsys.readouterr().out == printed
    assert main(["launch", "--dry-run", "--json", "--set", "top_k=1"]) == 1
    facts = json.loads(capsys.readouterr().out)
    assert facts["findings"][0]["about"] == "top_k"
    assert facts["memory"]["peak_gib"] > facts["memory"]["parts"][0]["gib"]
    assert facts["expectation"]["completions"] == 1920
    assert store.jobs() == []


def test_gpus_are_read_from_what_nvidia_smi_prints() -> None:
    listing = "NVIDIA A100-SXM4-40GB, 40960, 8.0\nTesla T4, 15360, 7.5\nbroken, [N/A], [N/A]\n"
    assert parse_gpus(listing) == (Gpu("NVIDIA A100-SXM4-40GB", 40.0, 8.0), Gpu("Tesla T4", 15.0, 7.5))


@pytest.mark.parametrize(
    ("chosen", "seen"), [(None, ["A", "B"]), ("", []), ("1", ["B"]), ("1,0", ["B", "A"]), ("-1", []), ("0,7,1", ["A"])]
)
def test_gpus_that_cuda_visible_devices_hides_are_not_there(
    chosen: str | None, seen: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'A, 1024, 8.0'\necho 'B, 1024, 8.0'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    environ = {} if chosen is None else {"CUDA_VISIBLE_DEVICES": chosen}
    assert [gpu.name for gpu in visible_gpus(environ)] == seen


def test_a_broken_nvidia_smi_is_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\nexit 9\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert visible_gpus({}) == ()


def test_a_run_for_another_machine_is_told_what_may_not_be_there(store: Store, demo: ProblemSet) -> None:
    found = preflight(full_demo_run(source="/data/problems"), demo, store, None)
    about = [(finding.severity, finding.about) for finding in found.findings]
    assert ("warning", "source") in about
    assert ("note", "device") in about
    assert found.errors == ()


def test_a_choice_of_problems_that_cannot_be_made_is_refused(store: Store, demo: ProblemSet) -> None:
    assert told(check(demo, store, sampling="pools", dynamic_sampling_rounds=2), "dynamic_sampling_rounds") == ""
    found = check(demo, store, engine="unsloth", dynamic_sampling_rounds=2)
    assert ("error", "dynamic_sampling_rounds") in [(finding.severity, finding.about) for finding in found.findings]
    assert told(check(demo, store, sampling="pools", pool_prior="column:solved"), "pool_prior").startswith(
        "error: pool_prior: no problem has a number in the column 'solved'"
    )
    assert told(check(demo, store, sampling="pools", pool_prior="run:demo-7"), "pool_prior").startswith("error: ")
    assert told(check(demo, store, sampling="pools", pool_warmup_steps=100), "pool_warmup_steps").startswith("warning: ")
    few = replace(demo, problems=demo.of_split("train")[:6])
    assert told(check(few, store, dynamic_sampling_rounds=2), "dynamic_sampling_rounds").startswith(
        "note: A step can ask for 12"
    )


def test_what_a_run_made_of_the_problems_is_known_beforehand(store: Store, demo: ProblemSet, tmp_path: Path) -> None:
    first, second, *_ = (problem.id for problem in demo.of_split("train"))
    run = store.create_job("train", "demo", {"content_hash": demo.content_hash})[0].id
    rows = [(first, 0, 1.0), (first, 1, 0.0), (second, 0, None)]
    store.record(
        run,
        rollouts=[
            Rollout(1, demo_id == second, place, demo_id, "", {"correctness": value}, value, 0.0, 1, "stop")
            for demo_id, place, value in rows
        ],
    )
    config = full_demo_run(sampling="pools", pool_prior=f"run:{run}", content_hash=demo.content_hash)
    assert told(preflight(config, demo, store, CPU), "pool_prior") == ""
    keep_prior(config, demo, store, tmp_path / "run")
    assert kept_prior(tmp_path / "run") == [Outcome(first, 1.0, 2)]
    store.record(run, rollouts=[Rollout(2, 0, 0, second, "", {"correctness": 1.0}, 1.0, 0.0, 1, "stop")])
    keep_prior(config, demo, store, tmp_path / "run")  # a resumed run begins with what it began with
    assert kept_prior(tmp_path / "run") == [Outcome(first, 1.0, 2)]
    elsewhere = store.create_job("train", "demo", {"content_hash": "of others"})[0].id
    other = config.model_copy(update={"pool_prior": f"run:{elsewhere}"})
    assert "of other problems" in told(preflight(other, demo, store, CPU), "pool_prior")


def test_an_evaluation_is_known_beforehand(store: Store, demo: ProblemSet, tmp_path: Path) -> None:
    problem = demo.of_split("train")[0].id
    job = store.create_job("evaluate", "measured", {"evaluation_samples": 4})[0].id
    items = [EvaluationItem(problem, "", {"correctness": float(place == 0)}, 3) for place in range(4)]
    record_evaluation(store, job, "measured", 0, "train", items)
    keep_prior(full_demo_run(sampling="pools", pool_prior=f"run:{job}"), demo, store, tmp_path)
    assert kept_prior(tmp_path) == [Outcome(problem, 1.0, 4)]
