"""Checks of a run's settings against each other, its problems and its model; none looks at the machine."""

from collections.abc import Iterator

from training.artefacts import check_driver, check_url
from training.config import RunConfig
from training.credentials import has_wandb_key
from training.errors import ArtefactError, ConfigError, RewardError
from training.preflight.data import in_haste, well_formed
from training.preflight.model_files import refuses_system_turn
from training.preflight.subject import Finding, Severity, Subject
from training.rewards import REWARDS, Reward
from training.rewards.forms import TAGS, AnswerForm, form_named
from training.shares import share_of
from training.text import listed, words_listed

MANY_EPOCHS = 10
"""Meetings with each problem from which on a run is told to watch its evaluation: a small set can be learnt by heart."""

LOW_ADAPTER_RATE = 1e-5
"""Learning rates below it are those of full fine-tuning; an adapter takes ten times as much ("LoRA Without Regret",
Schulman et al., Thinking Machines, 2025, which measured it for reinforcement learning too)."""

LOW_TEMPERATURE = 0.3
"""Below it a token with probability 0.7 against one with 0.3 is drawn 94 times in 100, so a group's completions agree."""

HIGH_FULL_RATE = 1e-4
"""Learning rate of full fine-tuning; on the demo model 5e-5 taught, 2e-4 raised the reward while the answers got worse."""


def check_sizes(subject: Subject) -> Iterator[Finding]:
    """Whether there are problems enough."""
    config = subject.config
    if len(subject.train) < config.groups_per_step:
        yield Finding(
            "error",
            "source",
            f"A step needs {config.groups_per_step} problems, {subject.name} has {len(subject.train)} in its train split.",
            "Make the batch smaller or use a larger source.",
            certain=True,
        )
    if config.evaluation_problems > len(subject.test):
        yield Finding(
            "error",
            "evaluation_problems",
            f"evaluation_problems = {config.evaluation_problems}, but {subject.name} has {len(subject.test)} test problems.",
            f"Set evaluation_problems to at most {len(subject.test)}.",
            certain=True,
        )


def check_twin(subject: Subject) -> Iterator[Finding]:
    """Whether there is a run with exactly these settings, seed included."""
    twin = subject.twin
    if twin is None or not (twin.active or twin.status == "finished"):
        return
    if twin.active:
        severity: Severity = "warning"
        text = f"{twin.id} is {twin.status} with exactly these settings, seed included: a launch gives that one back."
    else:
        severity = "note"
        text = f"{twin.id} finished with exactly these settings, seed included: a further run would be that one again."
    yield Finding(severity, "seed", text, "Set another seed; runs that differ in nothing else show how much is chance.")


def check_course(subject: Subject) -> Iterator[Finding]:
    """Steps against problems, checkpoints and evaluations."""
    config, epochs = subject.config, subject.expectation.epochs
    problems = len(subject.train)
    if epochs >= MANY_EPOCHS:
        yield Finding(
            "warning",
            "max_steps",
            f"{config.max_steps:,} steps use each of the {problems:,} train problems {epochs:,.0f} times.",
            "Use fewer steps or more problems, and watch the evaluation: a small set can be learnt by heart.",
        )
    elif epochs < 1:
        yield Finding(
            "note",
            "max_steps",
            f"{config.max_steps:,} steps use {round(epochs * problems):,} of the {problems:,} train problems.",
            "Raise max_steps, or groups per step, to use them all; a run need not.",
        )
    if config.save_steps > config.max_steps:
        yield Finding(
            "note",
            "save_steps",
            f"save_steps = {config.save_steps} is above max_steps = {config.max_steps}: only the end is saved.",
            "Lower save_steps, so that a run that is cut short can be resumed.",
        )
    if config.evaluation_problems and not subject.expectation.evaluations:
        yield Finding(
            "note",
            "evaluation_problems",
            f"evaluation_problems = {config.evaluation_problems}, but no evaluation is switched on.",
            "Set evaluate_before or evaluate_after to true, or evaluation_problems to 0.",
        )
    if config.evaluation_problems and config.evaluation_steps >= config.max_steps:
        yield Finding(
            "note",
            "evaluation_steps",
            f"evaluation_steps = {config.evaluation_steps} leaves no evaluation between the first and the last step.",
            "Lower evaluation_steps, or set it to 0.",
        )


def check_adapter(subject: Subject) -> Iterator[Finding]:
    """Whether the model has the layers that are to get an adapter."""
    architecture, config = subject.architecture, subject.config
    if architecture is None or not architecture.exact or not config.lora_rank:
        return
    layers = {*architecture.projections, "embed_tokens", "lm_head"}
    missing = [target for target in config.lora_targets if target.rpartition(".")[2] not in layers]
    if missing:
        yield Finding(
            "error",
            "lora_targets",
            f"lora_targets: the model has no layer {missing[0]!r}.",
            f"Name layers that it has: {', '.join(sorted(layers))}.",
            certain=True,
        )


def check_together(subject: Subject) -> Iterator[Finding]:
    """Settings that the engine cannot combine."""
    config = subject.config
    if config.use_vllm and config.load_in_4bit and config.engine == "transformers":
        yield Finding(
            "error",
            "use_vllm",
            "use_vllm = true cannot generate from load_in_4bit = true with engine = transformers.",
            "Set engine=unsloth, or one of the two to false.",
            certain=True,
        )
    if config.vllm_server and config.engine == "unsloth":
        yield Finding(
            "error",
            "vllm_server",
            "engine = unsloth generates in its own process: it cannot use the vLLM of vllm_server.",
            "Leave vllm_server empty, or set engine=transformers.",
            certain=True,
        )
    if config.use_adaptive_entropy and config.engine == "unsloth":
        yield Finding(
            "error",
            "use_adaptive_entropy",
            "engine = unsloth does not adapt the entropy bonus, and would pay none at all.",
            "Set engine=transformers, or use_adaptive_entropy=false with an entropy_coef above 0.",
            certain=True,
        )
    corrects = config.use_vllm and config.vllm_importance_sampling_correction
    if corrects and config.loss_type == "vespo" and config.vllm_importance_sampling_mode.startswith("sequence"):
        yield Finding(
            "error",
            "vllm_importance_sampling_mode",
            "loss_type = vespo corrects for vLLM's probabilities token by token, and vllm_importance_sampling_mode = "
            f"{config.vllm_importance_sampling_mode}.",
            "Set vllm_importance_sampling_mode=token_mask.",
            certain=True,
        )
    if config.normalize_advantages and config.method == "rloo" and config.beta and config.dynamic_sampling_rounds:
        yield Finding(
            "error",
            "normalize_advantages",
            "normalize_advantages = true scales a whole step, which dynamic_sampling_rounds puts together of several rounds, "
            f"after RLOO has taken the KL penalty of beta = {config.beta:g} off each.",
            "Set one of the three to 0 or false.",
            certain=True,
        )


def check_template(subject: Subject) -> Iterator[Finding]:
    """Whether the model's chat template takes the system turn."""
    config = subject.config
    has_turn = bool(config.system_prompt) and config.system_turn == "system"
    if subject.model is not None and has_turn and refuses_system_turn(subject.model):
        yield Finding(
            "error",
            "system_turn",
            "The model's chat template takes no system turn, and the run has a system prompt.",
            "Set system_turn=user, which puts it at the beginning of the user's turn.",
            certain=True,
        )


def check_lengths(subject: Subject) -> Iterator[Finding]:
    """Prompts and completions against the positions that the model was made for."""
    config, prompts = subject.config, subject.prompts
    if prompts is None:
        return
    context = subject.architecture.context if subject.architecture else 0
    bound = subject.prompt_bound
    how = "" if prompts.counted else "about "
    if context and config.max_completion_length >= context:
        yield Finding(
            "error",
            "max_completion_length",
            f"max_completion_length = {config.max_completion_length:,} fills the model's {context:,} positions alone.",
            f"Set it to at most {max(1, context - bound):,}.",
            certain=True,
        )
    elif context and bound + config.max_completion_length > context:
        yield Finding(
            "warning",
            "max_completion_length",
            f"The longest prompt has {how}{bound:,} tokens; with completions of {config.max_completion_length:,} it goes "
            f"beyond the {context:,} positions that the model was made for.",
            f"Set max_completion_length to at most {max(1, context - bound):,}, or leave long prompts out with "
            "max_prompt_length.",
        )
    if prompts.counted and 0 < config.max_prompt_length < prompts.shortest:
        yield Finding(
            "error",
            "max_prompt_length",
            f"max_prompt_length = {config.max_prompt_length:,} leaves no problem to train on: the shortest prompt has "
            f"{prompts.shortest:,} tokens.",
            "Raise it, or set it to 0 to leave none out.",
            certain=True,
        )
    elif prompts.left_out:
        most = "At least " if prompts.left_out >= prompts.longest_counted else ""
        yield Finding(
            "note",
            "max_prompt_length",
            f"{most}{prompts.left_out:,} train problems have a prompt of more than {config.max_prompt_length:,} tokens and "
            "are left out.",
            f"Raise max_prompt_length to {prompts.longest:,} to keep them all.",
        )


def check_rewards(subject: Subject) -> Iterator[Finding]:
    """Weights against what the functions pay for."""
    weights = subject.config.reward_weights
    right = form = 0.0
    for name, weight in weights.items():
        most = weight * REWARDS[name].maximum
        try:
            if pays_for_right(in_haste(REWARDS[name]), form_named(subject.config.answer_form)):
                right += most
            elif weight > 0:
                form += most
        except RewardError:  # told by check_own_rewards
            right += most  # nobody knows what it pays for
    if right <= 0:
        does = "punishes" if right < 0 else "pays for"
        yield Finding(
            "warning",
            "rewards",
            f"{'A reward' if right < 0 else 'No reward'} {does} a right answer: the weights are {listed(weights)}.",
            "Give correctness, soft_correctness or value_correctness a weight above 0.",
        )
    elif form > right:
        yield Finding(
            "warning",
            "rewards",
            f"A wrong answer in the right form can earn {form:g}, being right no more than {right:g} on top of it.",
            "Raise the weights of the correctness functions, or lower the others.",
        )
    negative = {name: weight for name, weight in weights.items() if weight < 0}
    if negative and right > 0:
        yield Finding(
            "warning",
            "rewards",
            f"{listed(negative)}: what earns these functions is punished.",
            "Make the weight positive, unless that is meant.",
        )


def pays_for_right(reward: Reward, form: AnswerForm = TAGS) -> bool:
    """Whether a function tells a right answer from a wrong one of the same form.

    Raises:
        RewardError: it fails on them.
    """
    golds = ("72", "73")
    rows = [{"target": gold, "nums": [gold], "completion_tokens": 20, "max_completion_length": 200} for gold in golds]
    right, wrong = reward.score_all([well_formed(form, "72")] * 2, golds, rows, form)
    return right != wrong


def check_sampling(subject: Subject) -> Iterator[Finding]:
    """Whether a group's completions can differ."""
    config = subject.config
    if config.top_k == 1:
        yield Finding(
            "error",
            "top_k",
            "top_k = 1 always takes the likeliest token, so all completions of a group are equal and nothing is learnt.",
            "Set top_k to 0, or well above 1.",
        )
    elif config.temperature < LOW_TEMPERATURE:
        yield Finding(
            "warning",
            "temperature",
            f"At temperature = {config.temperature:g} most completions of a group agree, and a group that agrees teaches "
            "nothing.",
            "Raise it, to 1 say; `preflight --calibrate` forecasts the share of groups without variance.",
        )
    if config.min_p == 1:
        yield Finding(
            "error",
            "min_p",
            "min_p = 1 always takes the likeliest token, so all completions of a group are equal and nothing is learnt.",
            "Set min_p to 0, or well below 1.",
        )
    yield from _narrowed(config)


def _narrowed(config: RunConfig) -> Iterator[Finding]:
    """Sampling among some tokens with vLLM, whose probabilities are then of those, and TRL's of all (TRL issue 6789).

    Unsloth's vLLM shares the weights that are trained, and nothing is corrected.
    """
    asked = {"top_p": config.top_p < 1, "top_k": config.top_k > 0, "min_p": config.min_p > 0}
    narrowing = [name for name, is_asked in asked.items() if is_asked]
    corrects = config.use_vllm and config.method == "grpo" and config.vllm_importance_sampling_correction
    if narrowing and corrects and config.engine == "transformers":
        of_sequence = config.vllm_importance_sampling_mode.startswith("sequence")
        shrinks = (
            "completion's loss shrinks by that share at every token" if of_sequence else "token's loss shrinks by that share"
        )
        yield Finding(
            "warning",
            narrowing[0],
            f"With {words_listed(narrowing)} vLLM's probabilities are among the share of tokens kept and TRL's among all, and "
            f"that is corrected for too: each {shrinks}.",
            "Set top_p=1, top_k=0 and min_p=0, or vllm_importance_sampling_correction=false.",
        )


def check_learning_rate(subject: Subject) -> Iterator[Finding]:
    """The rate of full fine-tuning, and one of it with an adapter."""
    config = subject.config
    if config.lora_rank and config.learning_rate < LOW_ADAPTER_RATE:
        yield Finding(
            "note",
            "learning_rate",
            f"learning_rate = {config.learning_rate:g} is one for training every weight; an adapter learns best at about ten "
            "times as much.",
            f'Take {10 * config.learning_rate:g}, say ("LoRA Without Regret", Thinking Machines, 2025).',
        )
    if not config.lora_rank and config.learning_rate > HIGH_FULL_RATE:
        yield Finding(
            "warning",
            "learning_rate",
            f"learning_rate = {config.learning_rate:g} is high for training every weight.",
            "Take 5e-5 or less; on the demo model 2e-4 raised the reward while the answers got worse. Or train an adapter.",
        )


def check_artefacts(subject: Subject) -> Iterator[Finding]:
    """Whether checkpoints can be uploaded, where they are to be. What another machine has installed is not known here."""
    if not subject.artefacts:
        return
    try:
        check_url(subject.artefacts)
    except ArtefactError as error:
        yield Finding("error", "artefacts", error.problem, error.remedy, certain=True)
        return
    try:
        check_driver(subject.artefacts)
    except ArtefactError as error:
        if subject.machine is not None:
            yield Finding("error", "artefacts", error.problem, error.remedy, certain=True)
        else:
            text = f"{error.problem} The run may have it where it runs; from here its checkpoints cannot be used."
            yield Finding("warning", "artefacts", text, error.remedy)


def check_workers(subject: Subject) -> Iterator[Finding]:
    """Whether a step can be divided among the processes."""
    try:
        share_of(subject.config, subject.workers)
    except ConfigError as error:
        yield Finding("error", "gradient_accumulation_steps", error.problem, error.remedy, certain=True)


def check_stop_rules(subject: Subject) -> Iterator[Finding]:
    """On what the run stops by itself; and signals that it cannot have."""
    config = subject.config
    if not config.stop_on:
        return
    yield Finding(
        "note",
        "stop_on",
        f"The run stops by itself, with a checkpoint, once the doctor has found {' or '.join(config.stop_on)} for five steps.",
        "It can be resumed; a rule that has stopped it waits until its finding is gone. Empty stop_on for no rule.",
    )
    silent = {
        "kl_growth": config.beta == 0,
        "vllm_mismatch": not config.use_vllm,
        "clipped": config.num_iterations == 1,
    }
    if idle := [name for name in config.stop_on if silent.get(name)]:
        yield Finding(
            "warning",
            "stop_on",
            f"{words_listed(idle)} cannot be found in this run, which does not log what it needs.",
            "Take it out of stop_on; kl needs beta above 0, vLLM's probabilities use_vllm, clipping num_iterations above 1.",
        )


def check_wandb(subject: Subject) -> Iterator[Finding]:
    """Where the run is logged to."""
    if subject.config.wandb and not has_wandb_key():
        yield Finding(
            "note",
            "wandb",
            "There is no key for Weights & Biases, so it logs offline, into the run's folder.",
            "Set WANDB_API_KEY or call `wandb login` to log online, or send the folder later with `wandb sync`.",
        )
