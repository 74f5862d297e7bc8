"""Presets: each that ships loads, resolves and explains itself; a person's own stand beside them."""

from pathlib import Path

import pytest

from tests.hostile import BAD_SETTINGS, NO_FILES, NO_PATHS
from tests.tiny_runs import few_problems, run_to_the_end
from training.__main__ import main
from training.errors import ConfigError
from training.home import Home
from training.machines import this_machine
from training.preflight import preflight
from training.presets import PRESETS, load_preset, preset_description, preset_paths, preset_text
from training.store import Store

SHIPPED = sorted(path.stem for path in PRESETS.glob("*.toml"))


def test_the_shipped_presets_are_those_that_the_readme_names() -> None:
    readme = (PRESETS.parent.parent / "README.md").read_text(encoding="utf-8")
    assert [name for name in SHIPPED if f"`{name}`" not in readme] == []


@pytest.mark.parametrize("name", SHIPPED)
def test_a_preset_resolves_and_explains_itself(name: str, tmp_path: Path) -> None:
    config = load_preset(name)
    assert config.preset == name
    description = preset_description(preset_paths()[name])
    assert description.endswith(".")

    explained = tmp_path / f"{name}.toml"
    explained.write_text(preset_text(config, description), encoding="utf-8")
    assert load_preset(str(explained)) == config
    assert preset_description(explained) == description
    assert "# Gradient norm, at most. Gradients are clipped to this norm. (above 0, at most 1,000,000.0)" in (
        explained.read_text(encoding="utf-8")
    )


def test_the_articles_preset_has_the_articles_settings() -> None:
    config = load_preset("article-llama-3.1-8b")
    assert (config.model, config.engine, config.load_in_4bit) == ("meta-llama/Llama-3.1-8B-Instruct", "unsloth", True)
    assert (config.lora_rank, config.lora_alpha, len(config.lora_targets)) == (32, 32, 7)
    assert (config.learning_rate, config.lr_scheduler_type, config.warmup_ratio) == (5e-6, "cosine", 0.1)
    assert (config.adam_beta1, config.adam_beta2, config.weight_decay) == (0.9, 0.99, 0.1)
    assert (config.optim, config.max_grad_norm) == ("paged_adamw_8bit", 0.1)
    assert (config.num_generations, config.gradient_accumulation_steps) == (8, 2)
    assert (config.max_completion_length, config.max_steps) == (200, 350)
    assert config.maximum_reward == 4.0
    assert config.system_prompt.endswith(
        "You must put your reasoning between the <reasoning> tags and answer between the <answer> tags."
    )
    seen = config.groups_per_step * config.max_steps / 7473
    assert 0.05 < seen < 0.1, "the article says: less than a tenth of an epoch"


def test_the_articles_preset_is_as_trl_was_in_march_2025() -> None:
    config = load_preset("article-llama-3.1-8b")
    assert (config.beta, config.loss_type, config.scale_rewards, config.num_iterations) == (0.04, "grpo", "group", 1)
    assert not config.use_bias_correction_kl
    assert not config.vllm_importance_sampling_correction


SMALL = {
    "model": "demo",
    "source": "demo",
    "content_hash": "",
    "engine": "transformers",
    "load_in_4bit": False,
    "use_vllm": False,
    "gradient_checkpointing": False,
    "optim": "adamw_torch",
    "wandb": False,
    "max_steps": 2,
    "num_generations": 2,
    "per_device_train_batch_size": 4,
    "gradient_accumulation_steps": 1,
    "max_completion_length": 24,
    "evaluation_problems": 2,
    "evaluation_temperature": 0.0,
    "evaluation_steps": 0,
    "save_steps": 2,
}
"""What a GPU, a large model or the Hub is needed for, so small that two cores do it at once."""


@pytest.mark.parametrize("name", SHIPPED)
def test_a_preset_is_trained_at_small_size(name: str, store: Store, home: Home) -> None:
    before = load_preset(name)
    small = {setting: value for setting, value in SMALL.items() if setting in type(before).model_fields}
    if before.stage == "sft":  # no solution is as short
        small["max_completion_length"] = 160
    config = type(before).model_validate(before.model_dump() | small)
    checked = preflight(config, few_problems(), store, this_machine(home.root))
    assert [finding for finding in checked.errors if finding.about != "max_completion_length"] == []
    run = run_to_the_end(store, home, config)
    assert run.status == "finished"
    assert all(config.verifier in rollout.rewards for rollout in store.rollouts(run.id))
    assert bool(store.rollouts(run.id)) == (config.stage == "grpo")


def test_models_of_half_one_and_a_half_and_three_billion_parameters_have_presets() -> None:
    models = {load_preset(name).model for name in SHIPPED}
    assert {f"Qwen/Qwen2.5-{size}-Instruct" for size in ("0.5B", "1.5B", "3B")} < models
    assert load_preset("r1-zero-qwen2.5-1.5b").model == "Qwen/Qwen2.5-1.5B", "a base model, not an instruct one"


def test_a_malformed_preset_names_the_file_and_the_place(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("max_steps = = 3\n")
    with pytest.raises(ConfigError, match=r"mine\.toml cannot be read: .*line 1"):
        load_preset(str(path))


def test_an_unknown_preset_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"Use one of .*demo, .*or the path of a TOML file"):
        load_preset("nothing")


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("max_steps=" + "[" * 100_000, "max_steps = "),
        ("max_steps=" + "9" * 5_000, "max_steps = "),
        ("rewards.integer=" + "{a=" * 100_000, "rewards.integer = "),
        ("max_steps=5\nseed=3", "max_steps = "),
        ("a." * 100_000 + "b=1", "is not a setting"),
        ("rewards.a.b=1", "is not a setting"),
        ("model.x=1", "is not a setting"),
        ("x" * 100_000, "is not an assignment"),
    ],
)
def test_an_assignment_that_cannot_be_read_is_an_error_that_names_it(assignment: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_preset("demo", [assignment])


def test_own_presets_stand_beside_the_shipped_ones(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('# Mine.\nmodel = "demo"\nmax_steps = 3\n')
    assert load_preset("mine", own=tmp_path).max_steps == 3
    assert preset_description(preset_paths(tmp_path)["mine"]) == "Mine."
    assert "demo" in preset_paths(tmp_path)


def own_preset(folder: Path, content: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "mine.toml").write_bytes(content)
    return folder


@pytest.mark.parametrize("name", BAD_SETTINGS)
def test_a_bad_preset_of_ones_own_is_refused_with_its_reason(name: str, tmp_path: Path) -> None:
    own = own_preset(tmp_path / "presets", BAD_SETTINGS[name])
    with pytest.raises(ConfigError) as raised:
        load_preset("mine", own=own)
    assert len(str(raised.value)) < 2000
    preset_description(own / "mine.toml")
    assert load_preset("demo", own=own).preset == "demo"


@pytest.mark.parametrize("name", NO_FILES)
def test_what_is_no_file_is_no_preset_and_nobody_waits_for_it(name: str, tmp_path: Path) -> None:
    (tmp_path / "presets").mkdir()
    NO_FILES[name](tmp_path / "presets" / "mine.toml")
    with pytest.raises(ConfigError):
        load_preset("mine", own=tmp_path / "presets")
    with pytest.raises(ConfigError):
        load_preset(str(tmp_path / "presets" / "mine.toml"))
    assert preset_description(tmp_path / "presets" / "mine.toml") == ""


@pytest.mark.parametrize("path", [path for path in NO_PATHS if path])
def test_a_preset_is_not_named_by_what_is_no_path(path: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_preset(path)
    assert len(str(raised.value)) < 1000


@pytest.mark.parametrize("stem", ["my preset", "ünï", "-x", ".x", "line\nbreak", "x" * 200])
def test_a_preset_in_a_file_whose_name_no_run_can_have_is_refused_until_it_names_itself(stem: str, tmp_path: Path) -> None:
    path = tmp_path / f"{stem}.toml"
    path.write_text('model = "demo"\n')
    with pytest.raises(ConfigError, match="preset = "):
        load_preset(str(path))
    path.write_text('preset = "mine"\nmodel = "demo"\n')
    assert load_preset(str(path)).preset == "mine"


def test_the_command_line_lists_presets_beside_those_that_cannot_be_used(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for variable, value in home.environment().items():
        monkeypatch.setenv(variable, value)
    for number, content in enumerate(BAD_SETTINGS.values()):
        (home.presets / f"bad{number}.toml").write_bytes(content)
    for number, make in enumerate(NO_FILES.values()):
        make(home.presets / f"none{number}.toml")
    (home.presets / "line\nbreak.toml").write_text("")
    assert main(["presets"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("cannot be used. ") == len(BAD_SETTINGS) + len(NO_FILES) + 1
    assert [name for name in SHIPPED if name not in printed] == []


def test_the_raw_demo_is_the_demo_asked_in_another_form() -> None:
    raw = load_preset("demo-raw")
    assert raw.chat_template == "plain"
    assert raw.model_copy(update={"chat_template": "model", "preset": "demo"}) == load_preset("demo")
