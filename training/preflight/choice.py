"""Checks of how a run chooses its problems: pools, what is known of them beforehand, and replacing groups without variance."""

from collections.abc import Iterator

from training.preflight.subject import Finding, Subject


def check_choice(subject: Subject) -> Iterator[Finding]:
    """Whether the choice can be made, and has something to choose from."""
    config = subject.config
    if config.dynamic_sampling_rounds and config.engine == "unsloth":
        yield Finding(
            "error",
            "dynamic_sampling_rounds",
            "engine = unsloth does not let groups without variance be replaced: its batches are its own.",
            "Set dynamic_sampling_rounds to 0, or engine=transformers.",
            certain=True,
        )
    if subject.prior_error is not None:
        yield Finding("error", "pool_prior", subject.prior_error.problem, subject.prior_error.remedy, certain=True)
    most = config.groups_per_step * (1 + config.dynamic_sampling_rounds)
    if config.dynamic_sampling_rounds and most > len(subject.train):
        yield Finding(
            "note",
            "dynamic_sampling_rounds",
            f"A step can ask for {most:,} problems, and there are {len(subject.train):,}: the rounds end when all were drawn.",
            "Use fewer rounds, a smaller batch or more problems.",
        )
    if config.sampling == "pools" and config.pool_warmup_steps >= config.max_steps:
        yield Finding(
            "warning",
            "pool_warmup_steps",
            f"The pools are used after {config.pool_warmup_steps:,} steps, and the run has {config.max_steps:,}: never.",
            "Lower pool_warmup_steps.",
        )
