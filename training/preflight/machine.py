"""Checks of a run against the machine: the model's files, packages, GPU, memory, disk."""

import importlib.util
import os
from collections.abc import Iterator
from math import ceil

from training.config import RunConfig, StageConfig
from training.engines import install_command, missing_packages, vllm_on_cpu
from training.preflight.architecture import Architecture
from training.preflight.memory import checkpoint_gib
from training.preflight.model_files import UnreachableError
from training.preflight.subject import Finding, Subject
from training.prompts import NO_TEMPLATE_REMEDY
from training.text import agree, count, size_text

BIG_ON_A_CPU = 500_000_000
"""Parameters from which on a CPU is told to be slow."""

CPU_FLOPS_A_CORE = 30e9
"""float32 operations a second of one core in large matrix products, as measured on one with AVX-512: 27 to 35 billion."""

BFLOAT16_CAPABILITY = 8.0
"""NVIDIA's compute capability from which on bfloat16 is calculated in hardware (CUDA C++ Programming Guide)."""

WAL_BYTES = 4 * 2**20
"""What SQLite's `-wal` grows to before it is written to the store's file."""

ROOM = 0.8
"""Share of the free disk above which checkpoints are a worry: others write too."""

_LIGHTER = {
    "Weights": "Train an adapter (lora_rank=32), load_in_4bit=true on a GPU, or take a smaller model.",
    "Reference model": "Set beta=0, or train an adapter (lora_rank=32).",
    "KV cache": "Lower per_device_train_batch_size, gradient_accumulation_steps or max_completion_length.",
    "Activations": "Set gradient_checkpointing=true, or halve per_device_train_batch_size and double "
    "gradient_accumulation_steps.",
    "Logits": "Halve per_device_train_batch_size and double gradient_accumulation_steps, or lower max_completion_length.",
    "vLLM": "Lower vllm_gpu_memory_utilization.",
}
"""The largest part -> what makes it smaller."""


def check_model(subject: Subject[StageConfig]) -> Iterator[Finding]:
    """Whether the model can be had, and can be asked a question."""
    error, model, here = subject.model_error, subject.model, subject.machine is not None
    if error is not None:
        yield Finding("error", "model", error.problem, error.remedy, certain=here and not isinstance(error, UnreachableError))
    elif model is None:
        yield Finding(
            "note",
            "model",
            f"The model {subject.config.model!r} is not on this machine, and the Hub was not asked for it.",
            "`python -m training preflight` asks it.",
        )
    else:
        if model.chat_template is None:
            yield Finding(
                "error",
                "model",
                f"The model {model.name!r} has no chat template.",
                NO_TEMPLATE_REMEDY,
                certain=model.has_weights,
            )
        if subject.architecture is None or not subject.architecture.exact:
            kind = model.config.get("model_type", "unnamed")
            known = "counted as if it were Llama's" if subject.architecture else "not counted: its config.json lacks sizes"
            yield Finding(
                "note",
                "model",
                f"The architecture {kind} is not known here; its memory is {known}.",
                "`preflight --calibrate` measures it.",
            )


def check_elsewhere(subject: Subject[StageConfig]) -> Iterator[Finding]:
    """What a run on another machine may not find there."""
    if subject.machine is not None:
        return
    for name in ("model", "source"):
        value = str(getattr(subject.config, name))
        if value.startswith(("/", "~")):
            yield Finding(
                "warning",
                name,
                f"{name} = {value} is a path on this machine, and the run goes to another.",
                "See that it is there too, on a disk that they share, or name it as on the Hub.",
            )
    yield Finding(
        "note",
        "device",
        "The machine that the run goes to cannot be looked at from here: its hardware, packages and disk are not checked.",
        "Its log tells what is missing.",
    )


def check_packages(subject: Subject[StageConfig]) -> Iterator[Finding]:
    """What the engine and the settings import."""
    config = subject.config
    if subject.machine is None:
        return
    asked = {
        "engine": missing_packages(config.engine),
        "use_vllm": _absent("vllm") if _uses_vllm(config) else (),
        "load_in_4bit": _absent("bitsandbytes") if config.load_in_4bit else (),
        "optim": _absent("bitsandbytes") if "8bit" in config.optim else (),
    }
    missing = [name for name, packages in asked.items() if packages]
    if missing:
        packages = list(dict.fromkeys(package for name in missing for package in asked[name]))
        command = install_command(config.engine if missing == ["engine"] else "unsloth")
        yield Finding(
            "error",
            missing[0],
            f"{_settings(config, missing)} {agree(len(missing), 'needs', 'need')} {', '.join(packages)}, "
            f"which {agree(len(packages), 'is', 'are')} not installed.",
            f"Install with {command} in the project's folder.",
            certain=True,
        )


def generates_on_cpu(config: StageConfig) -> bool:
    """Whether the vLLM of this Python can complete a run's prompts without a GPU: one for CPUs, in the process that trains."""
    return (
        isinstance(config, RunConfig)
        and config.use_vllm
        and config.engine == "transformers"
        and not config.vllm_server
        and vllm_on_cpu.is_installed()
    )


def check_heads(subject: Subject[StageConfig]) -> Iterator[Finding]:
    """Whether vLLM's attention on a CPU can calculate the model's heads."""
    architecture = subject.architecture
    if architecture is None or subject.is_on_gpu or not generates_on_cpu(subject.config):
        return
    if architecture.head_dim not in vllm_on_cpu.HEAD_SIZES:
        yield Finding(
            "error",
            "use_vllm",
            f"The model's attention heads have the size {architecture.head_dim}, and vLLM on a CPU takes "
            f"{', '.join(map(str, vllm_on_cpu.HEAD_SIZES))}.",
            "Set use_vllm=false, or use another model.",
            certain=architecture.exact,
        )


def _uses_vllm(config: StageConfig) -> bool:
    return isinstance(config, RunConfig) and config.use_vllm


def _absent(package: str) -> tuple[str, ...]:
    return () if importlib.util.find_spec(package) else (package,)


def check_device(subject: Subject[StageConfig]) -> Iterator[Finding]:
    """What the settings ask of the hardware."""
    config, machine = subject.config, subject.machine
    if machine is None:
        return
    if machine.gpus and not machine.has_cuda_torch:
        yield Finding(
            "warning",
            "device",
            f"There is a GPU ({machine.gpus[0].name}), but the installed torch is a build for CPUs.",
            "Install torch with CUDA (https://pytorch.org/get-started), and the project again.",
        )
    if not subject.is_on_gpu:
        yield from needs_gpu(config)
        yield from _slow_cpu(subject)
    elif config.precision == "bfloat16" and machine.gpus[0].compute_capability < BFLOAT16_CAPABILITY:
        gpu = machine.gpus[0]
        yield Finding(
            "warning",
            "precision",
            f"{gpu.name} (compute capability {gpu.compute_capability:g}) has no bfloat16; it would be emulated, slowly.",
            "Set precision=float16 or auto.",
        )


def needs_gpu(config: StageConfig) -> Iterator[Finding]:
    """The settings that cannot do without one, as a finding."""
    asks = {
        "load_in_4bit": (config.load_in_4bit, "load_in_4bit=false"),
        "use_vllm": (_uses_vllm(config) and not generates_on_cpu(config), "use_vllm=false"),
        "optim": ("8bit" in config.optim, "optim=adamw_torch"),
        "precision": (config.precision == "float16", "precision=auto"),
    }
    asking = [name for name, (asked, _) in asks.items() if asked]
    if asking:
        yield Finding(
            "error",
            asking[0],
            f"{_settings(config, asking)} {agree(len(asking), 'needs', 'need')} a GPU, and this machine shows none.",
            "Run it on a machine with one (nvidia-smi must list it), or set "
            + " and ".join(asks[name][1] for name in asking)
            + ".",
        )


def _settings(config: StageConfig, names: list[str]) -> str:
    """`use_vllm = true and optim = adamw_8bit`."""
    values = [getattr(config, name) for name in names]
    texts = [str(value).lower() if isinstance(value, bool) else str(value) for value in values]
    *others, last = [f"{name} = {text}" for name, text in zip(names, texts, strict=True)]
    return f"{', '.join(others)} and {last}" if others else last


def _slow_cpu(subject: Subject[StageConfig]) -> Iterator[Finding]:
    architecture, config = subject.architecture, subject.config
    if architecture is None or architecture.parameters < BIG_ON_A_CPU:
        return
    tokens = config.completions_per_step * (subject.prompt_bound + config.max_completion_length)
    # A pass over a token takes 2 operations a parameter forward and 4 backward; sampling it is one more forward pass.
    operations = 8 if isinstance(config, RunConfig) else 6
    step_s = operations * architecture.parameters * tokens / (CPU_FLOPS_A_CORE * (os.cpu_count() or 1))
    yield Finding(
        "warning",
        "device",
        f"There is no GPU: a step with {architecture.parameters / 1e9:.1f} billion parameters and {tokens:,} tokens takes in "
        f"the order of {max(1, round(step_s / 60)):,} min on {os.cpu_count()} cores.",
        "Use a GPU, or a smaller model.",
    )


def check_memory(subject: Subject[StageConfig]) -> Iterator[Finding]:
    """The estimate against what the device has."""
    memory, machine = subject.memory, subject.machine
    if memory is None or machine is None or memory.is_smallest:  # for a GPU that this machine has not
        return
    gpu = machine.gpu
    where, total = (gpu.name, gpu.memory_gib) if gpu else ("This machine", machine.memory_gib)
    if memory.peak_gib <= total:
        return
    surely = memory.fixed_gib > total
    yield Finding(
        "error" if surely else "warning",
        "memory",
        f"{where} has {_gib(total)}, and the run takes {'at least' if surely else 'an estimated'} "
        f"{_gib(memory.fixed_gib if surely else memory.peak_gib)}, most of it {memory.dominant.name.lower()} "
        f"({_gib(memory.dominant.gib)}).",
        _LIGHTER.get(memory.dominant.name, _LIGHTER["Weights"]),
    )


def check_disk(subject: Subject[StageConfig]) -> Iterator[Finding]:
    """Checkpoints and records, and weights still to be fetched, against the free disk."""
    if subject.architecture is None or subject.machine is None:
        return
    config, free_bytes = subject.config, subject.machine.disk_free_gib * 2**30
    # The oldest is deleted once the newest is written, so that for a while there is one more than is kept.
    at_once = min(config.save_total_limit + 1, ceil(config.max_steps / config.save_steps))
    each = checkpoint_gib(config, subject.architecture) * 2**30
    checkpoints, records = at_once * each, WAL_BYTES + config.max_steps * _step_bytes(config)
    surely = checkpoints > free_bytes
    if surely or checkpoints + records > ROOM * free_bytes:
        yield Finding(
            "error" if surely else "warning",
            "disk",
            f"{count(at_once, 'checkpoint')} of {size_text(each)} at once need {size_text(checkpoints)}, the records of its "
            f"steps about {size_text(records)}; where runs are kept {size_text(free_bytes)} are free.",
            "Free some, lower save_total_limit, train an adapter, or move GRPO_ATLAS_HOME.",
            certain=surely,
        )
    if subject.model is not None and not subject.model.has_weights:
        size = size_text(subject.architecture.parameters * 2)
        yield Finding(
            "note",
            "model",
            f"The weights of {config.model!r} are fetched from the Hub when it is first loaded: about {size}, where "
            "published in 16 bits.",
            "See that the Hub's cache (HF_HOME) has room for them.",
        )


def left_gib(config: StageConfig, architecture: Architecture) -> float:
    """What a run leaves once it has finished: the checkpoints that are kept, and its rows in the store, roughly."""
    kept = min(config.save_total_limit, ceil(config.max_steps / config.save_steps))
    return kept * checkpoint_gib(config, architecture) + config.max_steps * _step_bytes(config) / 2**30


def _step_bytes(config: StageConfig) -> int:
    """What a step leaves in the run store, roughly: its scalars, and its completions with what goes with each."""
    return 4096 + (512 * config.completions_per_step if isinstance(config, RunConfig) else 0)


def _gib(gib: float) -> str:
    return size_text(gib * 2**30)
