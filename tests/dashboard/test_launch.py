"""Launch without a browser: presets, form, subsets, rewards, checks, and one run however often the button is pressed."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import data
from dashboard.components.launch.bench import bench_html
from dashboard.components.launch.checks import memory_html, time_line, titled
from dashboard.components.launch.panel import backend_line
from dashboard.launch_changes import Base, batch_words, parse_changes, write_changes
from tests.app_testing import APP, TIMEOUT_S, follow, words
from training.backends import BackendState
from training.backends.cluster import Cluster
from training.backends.configuration import RayConfig
from training.backends.local import LocalBackend
from training.config import RunConfig
from training.config.losses import LOSSES
from training.errors import ConfigError, UnreachableError
from training.home import Home
from training.preflight.architecture import published_architecture
from training.preflight.expectation import expect
from training.preflight.memory import estimate_memory, smallest_gpu
from training.preflight.placement import placement
from training.presets import load_preset, preset_description, preset_paths, save_preset
from training.rewards import REWARDS, Reward
from training.rewards.forms import FORMS
from training.runs.launch import launch_run
from training.settings import SETTINGS, missed, step_words
from training.store import Store
from training.store.curation import save_subset

pytestmark = pytest.mark.usefixtures("dashboard_home")

DEMO = Base(load_preset("demo"), "demo")
LAUNCH = "Launch the run"


@pytest.fixture
def submitted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The jobs for which a process would have been started."""
    jobs: list[str] = []
    monkeypatch.setattr(LocalBackend, "submit", lambda self, job, command: jobs.append(job.id))
    return jobs


def button(test: AppTest, label: str) -> Any:
    return next(button for button in test.button if button.label == label)


def setting(test: AppTest, name: str) -> Any:
    kinds = (test.number_input, test.text_input, test.text_area, test.toggle, test.selectbox, test.multiselect)
    return next(widget for widgets in kinds for widget in widgets if widget.key == f"setting {name}")


def open_launch(**address: str) -> AppTest:
    """The page, opened by its address; the pages before it are not run."""
    test = AppTest.from_file(str(APP), default_timeout=TIMEOUT_S)
    for name, value in address.items():
        test.query_params[name] = value
    return test.switch_page("app_pages/launch.py").run()


def linked(changes: dict[str, Any], **address: str) -> AppTest:
    return open_launch(set=json.dumps(changes), **address)


# The form


def test_the_form_asks_for_every_setting_with_help_range_and_unit() -> None:
    test = open_launch(all="True")
    assert not test.exception
    elsewhere = {"preset", "content_hash", "stage", "subset", "rewards"}
    acting = [name for name in SETTINGS if name not in elsewhere and missed(name, DEMO.values({})) is None]
    assert all(setting(test, name).help for name in acting)
    assert all(f"- `{loss}`: {says}" in setting(test, "loss_type").help for loss, says in LOSSES.items())
    assert "Loss `dapo`: Clipped token losses" in words(test)
    assert {f"weight {name}" for name in REWARDS} <= {widget.key for widget in test.number_input}
    length = setting(test, "max_completion_length")
    assert length.label == "Longest completion"
    assert (
        length.help
        == f"`max_completion_length`: {SETTINGS['max_completion_length'].description} At least 1, at most 131,072 tokens."
    )
    assert f"{DEMO.config.max_steps} steps of {step_words(DEMO.config)}, 1,920 completions in all" in words(test)


def test_a_setting_that_does_nothing_beside_the_others_is_asked_for_where_it_was_changed() -> None:
    asked: dict[str, set[str]] = {}
    for changes in ({}, {"loss_type": "sapo"}, {"vespo_k_pos": 1.5}):
        keys = {widget.key for widget in linked(changes, all="True").number_input}
        asked[str(changes)] = {name for name in ("sapo_temperature_pos", "vespo_k_pos") if f"setting {name}" in keys}
    assert list(asked.values()) == [set(), {"sapo_temperature_pos"}, {"vespo_k_pos"}]


def test_only_what_differs_is_marked_counted_and_taken_back() -> None:
    test = open_launch()
    assert "All as in demo" in words(test)
    setting(test, "max_steps").set_value(20).run()
    assert "Steps" in setting(test, "max_steps").label
    assert f":orange-badge[demo: {DEMO.config.max_steps}]" in setting(test, "max_steps").label
    assert setting(test, "num_generations").label == "Completions per problem (group size)"
    assert "1 setting differs from demo" in words(test)
    assert [group.label for group in test.expander if "changed" in group.label] == ["Size of the run :orange-badge[1 changed]"]
    button(test, "Reset").click().run()
    assert setting(test, "max_steps").value == DEMO.config.max_steps
    assert "All as in demo" in words(test)


def test_few_settings_are_asked_for_first_and_those_that_differ() -> None:
    test = linked({"weight_decay": 0.1})
    asked = {str(widget.key).removeprefix("setting ") for widget in test.number_input if str(widget.key).startswith("setting ")}
    assert {"max_steps", "num_generations", "learning_rate", "beta", "weight_decay"} <= asked
    assert not {"adam_beta1", "top_k", "save_steps"} & asked
    groups = [group.label for group in test.expander][:3]
    assert groups == ["Model and data", "Size of the run", "Learning and evaluation :orange-badge[1 changed]"]
    next(toggle for toggle in test.toggle if toggle.label == "All settings").set_value(True).run()
    assert setting(test, "adam_beta1").value == 0.9
    assert test.query_params["all"] == "True"
    assert "Optimiser :orange-badge[1 changed]" in [group.label for group in test.expander]


def test_an_empty_field_means_none_where_0_does() -> None:
    test = open_launch()
    never = setting(test, "evaluation_steps")
    assert (never.value, never.placeholder) == (None, "never")
    never.set_value(5).run()
    assert json.loads(test.query_params["set"]) == {"evaluation_steps": 5}
    assert ":orange-badge[demo: never]" in setting(test, "evaluation_steps").label
    setting(test, "evaluation_steps").set_value(None).run()
    assert "All as in demo" in words(test)
    setting(test, "lora_rank").set_value(None).run()
    assert json.loads(test.query_params["set"]) == {"lora_rank": 0}


def test_what_a_step_learns_from_stands_beside_the_batch() -> None:
    assert f"{step_words(DEMO.config)} per step." in words(open_launch())
    odd = words(linked({"num_generations": 7}))
    assert "32 completions per step make no whole groups of 7: make it a multiple of 7." in odd
    assert batch_words({"num_generations": 0, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 1}) == ""


def test_a_value_set_back_by_hand_is_no_longer_marked() -> None:
    test = linked({"max_steps": 20})
    setting(test, "max_steps").set_value(DEMO.config.max_steps).run()
    assert "All as in demo" in words(test)


def test_changes_outlive_another_page_and_stand_in_the_address() -> None:
    test = open_launch()
    setting(test, "learning_rate").set_value(1e-5).run()
    assert json.loads(test.query_params["set"]) == {"learning_rate": 1e-5}
    test.switch_page("app_pages/runs.py").run()
    test.switch_page("app_pages/launch.py").run()
    assert setting(test, "learning_rate").value == 1e-5


def test_wrong_settings_are_said_in_place_and_nothing_can_be_launched() -> None:
    test = linked({"max_steps": 0, "learning_rate": 0})
    assert not test.exception
    assert "max_steps = 0: input should be greater than or equal to 1" in words(test)
    assert "learning_rate = 0.0: input should be greater than 0" in words(test)
    assert button(test, LAUNCH).disabled


@pytest.mark.parametrize(
    "changes",
    [
        {"max_steps": "many"},
        {"max_steps": True},
        {"max_steps": 10**400},
        {"learning_rate": float("inf")},
        {"engine": "steam"},
        {"rewards.nothing": 1},
        {"rewards": {}},
        {"preset": "x"},
        {"lora_targets": [1]},
        {"__class__": 1},
    ],
)
def test_changes_of_a_link_that_make_no_sense_are_left(changes: dict[str, Any]) -> None:
    assert DEMO.valid(parse_changes(json.dumps(changes))) == {}


@pytest.mark.parametrize("text", ["", "nonsense", "[1]", "[" * 5000, '{"system_prompt": "\\ud800"}'])
def test_an_address_that_holds_no_changes_is_told_from_one_that_does(text: str) -> None:
    with pytest.raises(ValueError, match=r"Expecting value|no object|nested too deeply|surrogates"):
        parse_changes(text)


def test_a_link_with_nonsense_opens_the_preset_as_it_is() -> None:
    test = open_launch(set="[1]")
    assert not test.exception
    assert "All as in demo" in words(test)


def test_changes_travel_through_an_address_unless_they_are_long() -> None:
    changes = DEMO.valid({"max_steps": 7, "rewards.integer": 0, "lora_targets": ["q_proj"], "wandb": True})
    assert DEMO.valid(parse_changes(write_changes(changes))) == changes
    values = DEMO.values(changes)
    assert (values["rewards"]["integer"], values["lora_targets"]) == (0.0, ("q_proj",))
    assert RunConfig.model_validate(values).max_steps == 7
    assert write_changes({"system_prompt": "word " * 2000}) == ""


# What the form begins with


def test_the_gallery_shows_every_preset_and_ones_own_and_keeps_the_choice_in_the_address(home: Home) -> None:
    (home.presets / "mine.toml").write_text('# My look at it. More words.\nmodel = "demo"\nmax_steps = 3\n')
    test = open_launch()
    choices = {str(choice.key).removeprefix("choose "): choice for choice in test.button if "choose " in str(choice.key)}
    assert choices.keys() == preset_paths(home.presets).keys()
    assert "one GPU, about" in str(choices["qwen2.5-3b"].help)
    assert ("minutes on two CPU cores" in words(test), "My look at it." in words(test)) == (True, False)
    groups = [caption.value for caption in test.caption][:4]
    assert [group for group in groups if group in ("Runs on any machine", "Needs a GPU", "Yours")] == [
        "Runs on any machine",
        "Needs a GPU",
        "Yours",
    ]
    next(choice for choice in test.button if choice.key == "choose mine").click().run()
    assert setting(test, "max_steps").value == 3
    assert test.query_params["preset"] == "mine"
    said = words(test)
    assert "My look at it." in said
    assert "More words" not in said
    assert "demo · 3 steps · CPU" in said


def test_changes_stay_with_the_preset_they_were_made_to(home: Home) -> None:
    (home.presets / "mine.toml").write_text('# Mine.\nmodel = "demo"\nmax_steps = 3\n')
    test = linked({"max_steps": 20})
    next(choice for choice in test.button if choice.key == "choose mine").click().run()
    assert setting(test, "max_steps").value == 3
    next(choice for choice in test.button if choice.key == "choose demo").click().run()
    assert setting(test, "max_steps").value == 20


def test_a_malformed_preset_of_ones_own_is_said_in_place(home: Home) -> None:
    (home.presets / "mine.toml").write_text("# Mine.\nmax_steps = = 3\n")
    test = open_launch(preset="mine")
    assert not test.exception
    assert "mine.toml cannot be read" in words(test)
    assert "choose demo" in [choice.key for choice in test.button]


def test_an_address_cannot_name_a_file_as_a_preset(tmp_path: Path) -> None:
    (tmp_path / "secret.toml").write_text('model = "demo"\nmax_steps = 77\n')
    test = open_launch(preset=str(tmp_path / "secret.toml"))
    assert not test.exception
    assert "There is no preset" in words(test)


def test_a_duplicated_run_begins_with_its_configuration_and_says_so(store: Store) -> None:
    config = load_preset("demo", ["max_steps=33"])
    run, _ = store.create_job("train", "demo", config.model_dump(mode="json"))
    store.end(run.id, "finished", "done")
    test = open_launch(**{"from": run.id})
    assert f"Begins with the configuration of {run.id}." in words(test).replace("**", "")
    assert setting(test, "max_steps").value == 33
    setting(test, "max_steps").set_value(34).run()
    assert f"1 setting differs from {run.id}" in words(test)
    button(test, "Choose a preset instead").click().run()
    assert setting(test, "max_steps").value == DEMO.config.max_steps
    assert "from" not in test.query_params


def test_a_run_to_duplicate_that_is_not_there_is_said() -> None:
    test = open_launch(**{"from": "demo-9"})
    assert not test.exception
    assert "There is no run 'demo-9'" in words(test)


def test_a_configuration_is_kept_as_ones_own_preset(home: Home) -> None:
    test = linked({"max_steps": 20})
    next(field for field in test.text_input if field.label == "Name").input("mine")
    button(test, "Save preset").click().run()
    assert not test.exception
    assert load_preset("mine", own=home.presets).max_steps == 20
    assert preset_description(home.presets / "mine.toml") == "As demo, with max_steps = 20."
    assert "All as in mine" in words(test)


@pytest.mark.parametrize("name", ["", "..", "../x", "a b", "x" * 61, "demo", "taken", "a\0b", "-x"])
def test_a_preset_that_cannot_be_named_so_is_refused_and_nothing_is_written(home: Home, name: str) -> None:
    (home.presets / "taken.toml").write_text("kept")
    with pytest.raises(ConfigError):
        save_preset(DEMO.config, name, home.presets)
    assert [path.name for path in home.presets.iterdir()] == ["taken.toml"]
    assert (home.presets / "taken.toml").read_text() == "kept"


def test_a_preset_is_replaced_only_when_that_is_said_and_any_purpose_stays_a_comment(home: Home) -> None:
    purpose = 'one\nmodel = "x"\x07\x1b two'
    save_preset(DEMO.config, "mine", home.presets, purpose)
    assert load_preset("mine", own=home.presets).model == "demo"
    save_preset(DEMO.config.model_copy(update={"max_steps": 5}), "mine", home.presets, overwrite=True)
    assert load_preset("mine", own=home.presets).max_steps == 5


def test_the_whole_configuration_can_be_copied_and_downloaded() -> None:
    test = linked({"max_steps": 20})
    (text,) = (code.value for code in test.code if "max_steps" in code.value)
    assert "max_steps = 20" in text
    assert f"learning_rate = {DEMO.config.learning_rate}" in text
    assert "Download" in [element.proto.label for element in test.get("download_button")]


# What is trained on


def test_a_subset_says_its_size_and_fixes_the_source(store: Store) -> None:
    problems = data.problem_set("demo")
    chosen = [problem.id for problem in problems.of_split("train")[:9]] + [problems.of_split("test")[0].id]
    save_subset(store, "few", problems, chosen, "by hand")
    test = open_launch(train_on="few@1")
    assert not test.exception
    assert f"9 of {len(problems.of_split('train')):,} train problems" in words(test)
    assert "setting source" not in [field.key for field in test.text_input]
    (text,) = (code.value for code in test.code if "max_steps" in code.value)
    assert 'subset = "few@1"' in text


def test_a_subset_that_is_not_there_is_said_and_never_becomes_the_whole_split() -> None:
    test = open_launch(train_on="gone@1")
    assert not test.exception
    assert "There is no subset 'gone@1'" in words(test)
    assert button(test, LAUNCH).disabled
    assert next(widget for widget in test.selectbox if widget.label == "Train on").value == "gone@1"


def test_a_duplicated_run_keeps_its_subset_until_another_is_chosen(store: Store) -> None:
    problems = data.problem_set("demo")
    save_subset(store, "few", problems, [problem.id for problem in problems.of_split("train")[:9]], "by hand")
    config = load_preset("demo", ["subset=few@1"])
    run, _ = store.create_job("train", "demo", config.model_dump(mode="json"))
    store.end(run.id, "finished", "done")
    test = open_launch(**{"from": run.id})
    choice = next(widget for widget in test.selectbox if widget.label == "Train on")
    assert choice.value == "few@1"
    choice.set_value("all").run()
    assert 'subset = ""' in next(code.value for code in test.code if "max_steps" in code.value)


@pytest.mark.parametrize("name", ["model", "source"])
def test_what_a_page_may_not_read_is_refused_and_the_form_keeps_its_values(store: Store, name: str) -> None:
    test = linked({name: "/nowhere/at/all"})
    assert not test.exception
    assert "A page may not" in words(test)
    assert setting(test, name).value == "/nowhere/at/all"
    assert button(test, LAUNCH).disabled


# Rewards


def test_weights_change_the_highest_total(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(REWARDS, "brief", Reward("brief", "Brief", 2.0, lambda completion, gold: 2.0))
    test = open_launch()
    assert "The highest total is 4." in words(test).replace("**", "")
    assert "Brief" in words(test)
    next(field for field in test.number_input if field.key == "weight brief").set_value(0.5).run()
    assert "The highest total is 5." in words(test).replace("**", "")
    assert json.loads(test.query_params["set"]) == {"rewards.brief": 0.5}


def test_the_bench_scores_text_by_every_reward_and_shows_it_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(completion: str, gold: str) -> float:
        raise KeyError("<b>no</b>")

    monkeypatch.setitem(REWARDS, "broken", Reward("broken", "<i>Broken</i>", 1.0, fail))
    shown = bench_html("<answer>$72</answer>", "72", {"correctness": 1.0, "soft_correctness": 2.0})
    assert all(title in shown for title in ("Hard correctness", "Soft correctness", "XML tag count", "&lt;i&gt;Broken"))
    assert "1 of 1, × 2 = 2" in shown
    assert "2 of 3" in shown, "the total of what is trained on"
    assert "raised KeyError" in shown
    assert "<b>" not in shown
    assert "<i>" not in shown


def test_the_bench_says_which_answer_it_reads_in_the_form_asked_for() -> None:
    assert "Answer read</span><span>72<" in bench_html("so \\boxed{72}", "72", {}, FORMS["boxed"])
    assert "Answer read</span><span>none is marked<" in bench_html("so \\boxed{72}", "72", {})


def test_the_bench_begins_with_an_example_and_takes_others() -> None:
    test = open_launch()
    scored = next(area for area in test.text_area if area.label == "Completion")
    assert "<answer>" in scored.value
    example = next(box for box in test.selectbox if box.label == "Start from")
    example.set_value("a reference solution").run()
    gold = data.problem_set("auto").of_split("train")[0].gold
    assert next(field for field in test.text_input if field.label == "Gold answer").value == gold


# Checks and backend


def test_what_is_certain_to_fail_is_said_with_its_remedy_and_cannot_be_launched() -> None:
    test = linked({"evaluation_problems": 1_000_000})
    said = words(test)
    assert ":red-badge[error]" in said
    assert "Set *Problems to evaluate* to at most" in said
    assert button(test, LAUNCH).disabled


def test_what_was_found_calls_settings_as_the_form_does() -> None:
    assert titled("Set max_steps=20, or raise temperature.") == r"Set *Steps* = 20, or raise temperature\."
    assert titled("At temperature = 0.2") == r"At *Temperature* = 0\.2"
    assert titled("use_vllm = true") == "*Generate with vLLM* = true"
    assert titled("soft_correctness and GRPO_ATLAS_HOME") == r"soft\_correctness and GRPO\_ATLAS\_HOME"


def test_a_warning_does_not_keep_from_launching() -> None:
    test = linked({"temperature": 0.1})
    assert ":orange-badge[warning]" in words(test)
    assert not button(test, LAUNCH).disabled


def test_memory_is_shown_by_part_against_the_device() -> None:
    architecture = published_architecture("Qwen/Qwen2.5-0.5B")
    assert architecture is not None
    memory = estimate_memory(load_preset("qwen2.5-0.5b"), architecture, prompt_tokens=200, on_gpu=True)
    shown = memory_html(memory, 8.0)
    assert all(part.name in shown for part in memory.parts)
    assert "over" in shown
    assert "of 8 GiB" in shown
    assert "over" not in memory_html(memory, None)


def test_where_a_preset_can_run() -> None:
    assert placement(load_preset("demo")) == "CPU"
    assert placement(load_preset("demo", ["use_vllm=true"])).startswith("one GPU, about")
    assert placement(load_preset("demo", ["model=nobody/nothing", "load_in_4bit=true", "lora_rank=8"])) == "one GPU"
    assert placement(load_preset("demo", ["model=nobody/nothing"])) == "size not known here"
    config, architecture = load_preset("qwen2.5-3b"), published_architecture("Qwen/Qwen2.5-3B")
    assert architecture is not None
    least = smallest_gpu(config, architecture, 512)
    assert least is not None
    assert least.gpu_gib is not None
    assert least.gpu_gib - 1 < least.peak_gib <= least.gpu_gib
    smaller = estimate_memory(config, architecture, prompt_tokens=512, on_gpu=True, gpu_gib=least.gpu_gib - 1)
    assert smaller.peak_gib > least.gpu_gib - 1
    assert placement(load_preset("qwen2.5-3b", ["use_vllm=true", "vllm_gpu_memory_utilization=1.0"])) == "one GPU"


def test_time_is_told_as_far_as_it_is_known(store: Store) -> None:
    unknown = expect(DEMO.config, 100, store)
    assert time_line(unknown) == "Time: unknown, as no similar run has been made here yet."
    known = replace(unknown, step_time_s=2.0, evaluations=2, evaluation_s=100.0)
    assert time_line(known) == "About 3 min 40 s: 60 steps of 2 s and 2 evaluations."
    assert "of unknown length" in time_line(replace(known, evaluation_s=None))


def test_the_local_backend_is_free_busy_or_unreachable(home: Home, store: Store) -> None:
    backend = LocalBackend(home)
    assert backend.state(store).kind == "free"
    first, _ = store.create_job("train", "first", {}, accelerator=True)
    second, _ = store.create_job("evaluate", "second", {}, accelerator=True)
    store.create_job("build", "a map", {})
    store.start(first.id)
    busy = backend.state(store)
    assert busy == BackendState("busy", ("first-1",), ("second-1",))
    assert backend_line(busy) == "first-1 is running and 1 job waits; the run takes its turn after that."
    for job in (first, second):
        store.end(job.id, "finished", "done")
    assert backend.state(store).kind == "free"
    home.runs.rmdir()
    home.runs.write_text("a file")
    unreachable = backend.state(store)
    assert (unreachable.kind, str(home.runs) in unreachable.reason) == ("unreachable", True)


def test_an_unreachable_backend_says_why_and_takes_nothing(home: Home) -> None:
    test = open_launch()
    home.runs.rmdir()
    setting(test, "max_steps").set_value(20).run()
    assert not test.exception
    assert f"The folder {home.runs} cannot be written" in words(test)
    assert button(test, LAUNCH).disabled


def test_a_backend_elsewhere_is_asked_behind_the_page(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    (home.root / "backends.toml").write_text('[a100]\nkind = "ray"\naddress = "http://head:8265"\n', encoding="utf-8")
    answer = Event()

    def connect(config: RayConfig, headers: Mapping[str, str]) -> Cluster:
        answer.wait(60)
        raise UnreachableError("Nobody answers at head.", "Start it.")

    monkeypatch.setattr("training.backends.ray._connect", connect)
    test = open_launch(backend="a100")
    assert not test.exception
    assert "Asking for its state" in words(test)
    assert not button(test, LAUNCH).disabled
    answer.set()
    while "Nobody answers at head" not in words(test):
        test.run()
    assert button(test, LAUNCH).disabled


def test_a_wrong_configuration_of_backends_leaves_this_machine(home: Home) -> None:
    (home.root / "backends.toml").write_text('[a100]\nkind = "ray"\n', encoding="utf-8")
    test = open_launch()
    assert "address is missing" in words(test)
    assert not button(test, LAUNCH).disabled


# Launching


def test_launching_queues_the_run_and_goes_to_its_page(store: Store, submitted: list[str]) -> None:
    test = linked({"max_steps": 20})
    button(test, LAUNCH).click().run()
    assert not test.exception
    assert submitted == ["demo-1"]
    assert "demo-1" in words(test)
    spec = store.job("demo-1").spec
    assert (spec["source"], spec["max_steps"]) == ("demo", 20)
    arrived = follow(test)
    assert (arrived.title[0].value.replace("\\", ""), arrived.query_params["run"]) == ("demo-1", "demo-1")


def test_two_clicks_start_one_run(store: Store, submitted: list[str]) -> None:
    first, second = open_launch(), open_launch()
    button(first, LAUNCH).click().run()
    button(second, LAUNCH).click().run()
    assert submitted == ["demo-1"]
    assert [job.id for job in store.jobs()] == ["demo-1"]
    assert all("demo-1" in words(test) and not test.exception for test in (first, second))


def test_launches_at_the_same_moment_start_one_run(home: Home, store: Store, submitted: list[str]) -> None:
    threads = [Thread(target=launch_run, args=(store, home, DEMO.config)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert submitted == ["demo-1"]


def test_an_equal_run_that_is_active_is_named_with_a_way_to_it(store: Store, submitted: list[str]) -> None:
    test = open_launch()
    button(test, LAUNCH).click().run()
    test.switch_page("app_pages/launch.py").run()
    assert "demo-1 waits for its turn with exactly these settings" in words(test)
    assert button(test, LAUNCH).disabled
    assert follow(test.button(key="open twin").click().run()).query_params["run"] == "demo-1"
    test.switch_page("app_pages/launch.py").run()
    setting(test, "seed").set_value(7).run()
    assert not button(test, LAUNCH).disabled
    store.end("demo-1", "finished", "done")
    setting(test, "seed").set_value(42).run()
    button(test, LAUNCH).click().run()
    assert submitted == ["demo-1", "demo-2"]
