"""What memory a run takes, estimated part by part from the configuration and the model's sizes. No torch.

Weights, gradients and optimiser state are counted; activations and logits follow formulas, for completions that all reach
their greatest length. What the allocator wastes and what kernels save is left out: an estimate, which
`preflight --calibrate` replaces by a measurement.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil
from typing import Literal

from training.config import RunConfig, SftConfig, StageConfig
from training.evaluation.evaluate import BATCH_SIZE
from training.preflight.architecture import Architecture

GIB = 2**30

USUAL_PROMPT = 512
"""Tokens of the longest prompt where neither the prompts nor a limit to them are known."""

_ROUNDS = 200
"""vLLM takes a share of the GPU, so what is needed depends on what is there; a share of 0.9 takes about 60 rounds."""

Phase = Literal["always", "generating", "learning"]

NF4_BITS = 4.127
"""Bits of a weight in NF4 with double quantisation: 4, and 0.127 of constants (Dettmers et al. 2023, QLoRA, section 3)."""

LIBRARIES_GIB = 0.55
"""torch, transformers and TRL, imported: resident memory measured with the CPU build of torch 2.13 on Linux."""

CUDA_CONTEXT_GIB = 0.5
"""What CUDA and its libraries' kernels take before the first tensor: about 300 to 600 MB by driver and card."""

_LOGIT_BYTES = {"cpu": 16, "gpu": 12}
"""For each logit when its gradient is made. On a CPU: the logits, their gradient, and two more of it while PyTorch stacks the
rows of `selective_log_softmax` (TRL 1.14.2; measured: 16.3). On a GPU TRL's kernel writes the gradient alone: logits and
gradient, each in the calculation's format and in the float32 that accelerate turns outputs into."""

_LOGIT_BYTES_FLOAT32_GPU = 8

_CHUNK_TOKENS = 256
"""Whose logits the loss chunked_nll has at a time (TRL 1.14.2's `_CHUNKED_LM_HEAD_CHUNK_SIZE`)."""

_AUTOCAST_BYTES = {"lora": 6, "full": 11}
"""For each hidden number of a token in a block: what is kept beyond the 16-bit calculation's own numbers."""


@dataclass(frozen=True)
class Part:
    """One part of a run's memory."""

    name: str
    gib: float
    phase: Phase
    """When it is there; generating and learning take turns."""
    how: str
    """What it was calculated from."""


@dataclass(frozen=True)
class MemoryEstimate:
    """The parts, and what follows from them."""

    parameters: int
    trained: int
    """Parameters that are trained: all, or the adapter's."""
    parts: tuple[Part, ...]
    on_gpu: bool
    gpu_gib: float | None = None
    """Memory of the GPU that it is for; `None` for a CPU, or a GPU of whatever size."""
    is_smallest: bool = False
    """Whether that is the smallest GPU that it fits, as the run's own is not known."""

    @property
    def peak_gib(self) -> float:
        """What is always there, and the larger of what generating and learning need."""
        return self.fixed_gib + self._sum(self.peak_phase)

    @property
    def peak_phase(self) -> Phase:
        """Which of the two that is."""
        return "learning" if self._sum("learning") >= self._sum("generating") else "generating"

    @property
    def fixed_gib(self) -> float:
        """What is there throughout and hardly an estimate: weights, optimiser state and the like."""
        return self._sum("always")

    @property
    def dominant(self) -> Part:
        """The largest part."""
        return max(self.parts, key=lambda part: part.gib)

    def _sum(self, phase: Phase) -> float:
        return sum(part.gib for part in self.parts if part.phase == phase)


@dataclass(frozen=True)
class Formats:
    """Bytes of one number."""

    weights: float
    """Of the base model's weights outside 4-bit layers."""
    calculation: float
    trained: float
    """Of a trained parameter; its gradient and each of AdamW's two moments have the same format."""


def number_formats(config: StageConfig, on_gpu: bool) -> Formats:
    """As the engines load models: trained weights in float32, frozen ones as they are calculated with.

    An adapter is in float32, but in bfloat16 on a 4-bit base (TRL 1.14.2, after the QLoRA paper).
    """
    calculation = {"float32": 4, "bfloat16": 2, "float16": 2, "auto": 2 if on_gpu else 4}[config.precision]
    return Formats(
        weights=calculation if config.lora_rank else 4,
        calculation=calculation,
        trained=2 if config.load_in_4bit else 4,
    )


def trained_parameters(config: StageConfig, architecture: Architecture) -> int:
    """How many parameters the optimiser changes."""
    if config.lora_rank:
        return architecture.adapter_parameters(config.lora_rank, config.lora_targets)
    return architecture.parameters


def weights_gib(config: StageConfig, architecture: Architecture, formats: Formats) -> float:
    """The base model's weights; with 4-bit loading the blocks' linear layers in NF4 and the rest in 16 bits."""
    quantised = architecture.block_parameters if config.load_in_4bit else 0
    plain = architecture.parameters - quantised
    return (quantised * NF4_BITS / 8 + plain * formats.weights) / GIB


def checkpoint_gib(config: StageConfig, architecture: Architecture) -> float:
    """One checkpoint on disk: what is trained, AdamW's state of it, and a reference model that follows."""
    trained = trained_parameters(config, architecture)
    formats = number_formats(config, on_gpu=False)
    reference = formats.trained if isinstance(config, RunConfig) and config.sync_ref_model else 0
    return trained * (formats.trained + _optimiser_bytes(config, formats) + reference) / GIB


def estimate_memory(
    config: StageConfig,
    architecture: Architecture,
    *,
    prompt_tokens: int,
    on_gpu: bool,
    gpu_gib: float | None = None,
    machine_gib: float | None = None,
) -> MemoryEstimate:
    """The parts of a run on one device.

    Args:
        prompt_tokens: the longest prompt.
        gpu_gib: the GPU's memory, of which vLLM takes its share.
        machine_gib: the machine's, of which vLLM takes its share on a CPU.
    """
    formats = number_formats(config, on_gpu)
    trained = trained_parameters(config, architecture)
    parts = (
        *_fixed_parts(config, architecture, formats, trained, on_gpu),
        *_generation_parts(config, architecture, formats, prompt_tokens, on_gpu, gpu_gib if on_gpu else machine_gib),
        *_learning_parts(config, architecture, formats, prompt_tokens, on_gpu, trained),
    )
    present = tuple(part for part in parts if part.gib > 0)
    return MemoryEstimate(architecture.parameters, trained, present, on_gpu, gpu_gib)


def smallest_gpu(config: StageConfig, architecture: Architecture, prompt_tokens: int) -> MemoryEstimate | None:
    """The parts of a run on the smallest GPU, in whole GiB, whose memory the estimate fits; `None` where it fits none.

    What is said of a run's need without a GPU at hand comes from here, so that it is the same figure everywhere.
    """
    gpu_gib = 0.0
    for _ in range(_ROUNDS):
        found = estimate_memory(config, architecture, prompt_tokens=prompt_tokens, on_gpu=True, gpu_gib=gpu_gib)
        if found.peak_gib <= gpu_gib:
            return replace(found, is_smallest=True)
        gpu_gib = ceil(found.peak_gib)
    return None


def _fixed_parts(
    config: StageConfig, architecture: Architecture, formats: Formats, trained: int, on_gpu: bool
) -> Iterator[Part]:
    kept = "NF4 in the blocks, the rest in 16 bits" if config.load_in_4bit else f"{formats.weights:g} bytes each"
    how = f"{architecture.parameters:,} parameters, {kept}"
    yield Part("Weights", weights_gib(config, architecture, formats), "always", how)
    if config.lora_rank:
        how = f"{trained:,} parameters of rank {config.lora_rank}, {formats.trained:g} bytes each"
        yield Part("LoRA adapter", trained * formats.trained / GIB, "always", how)
    elif isinstance(config, RunConfig) and config.beta:
        how = "a copy in float32 for the KL term, as beta is above 0"
        yield Part("Reference model", architecture.parameters * 4 / GIB, "always", how)
    state = _optimiser_bytes(config, formats)
    yield Part("Optimiser", trained * state / GIB, "always", f"two moments of each trained parameter, {state:g} bytes together")
    if on_gpu:
        yield Part("CUDA", CUDA_CONTEXT_GIB, "always", "context and kernels")
    else:
        yield Part("Libraries", LIBRARIES_GIB, "always", "torch, transformers and TRL, as measured")


def _optimiser_bytes(config: StageConfig, formats: Formats) -> float:
    """AdamW keeps two moments, in 8 bits each or in the parameter's own format (`torch.optim.AdamW`)."""
    return 2 if "8bit" in config.optim else 2 * formats.trained


def _generation_parts(
    config: StageConfig, architecture: Architecture, formats: Formats, prompt_tokens: int, on_gpu: bool, room_gib: float | None
) -> Iterator[Part]:
    if isinstance(config, RunConfig) and config.vllm_server:
        return  # on a GPU of its own
    if isinstance(config, RunConfig) and config.use_vllm and room_gib is not None:
        share = config.vllm_gpu_memory_utilization
        weights = weights_gib(config, architecture, formats)
        if not on_gpu:
            how = f"its weights, and for its KV cache {share:g} of the machine's {room_gib:.0f} GiB at most"
            yield Part("vLLM", share * room_gib + weights, "always", how)
            return
        how = f"{share:g} of the GPU's {room_gib:.0f} GiB, for its weights and KV cache"
        # Unsloth and vLLM use the same weights; TRL gives vLLM its own, which stay while the trainer learns.
        shared = weights if config.engine == "unsloth" else 0.0
        yield Part("vLLM", max(0.0, share * room_gib - shared), "always", how)
        return
    completions, length = _generated_at_once(config), prompt_tokens + config.max_completion_length
    token = 2 * architecture.layers * architecture.key_value_heads * architecture.head_dim * formats.calculation
    how = f"{completions} completions of up to {length:,} tokens, {token:,.0f} bytes a token"
    yield Part("KV cache", completions * length * token / GIB, "generating", how)


def _generated_at_once(config: StageConfig) -> int:
    """Completions of a step; where training generates none, those of one batch of an evaluation."""
    if isinstance(config, RunConfig):
        return config.completions_per_step
    return min(BATCH_SIZE, config.evaluation_problems * config.evaluation_samples)


def _learning_parts(
    config: StageConfig, architecture: Architecture, formats: Formats, prompt_tokens: int, on_gpu: bool, trained: int
) -> Iterator[Part]:
    yield Part("Gradients", trained * formats.trained / GIB, "learning", f"{formats.trained:g} bytes a trained parameter")
    if formats.calculation < formats.weights:
        how = "a copy of the float32 weights in 16 bits, which autocast keeps for a pass"
        yield Part("Weights in 16 bits", architecture.parameters * formats.calculation / GIB, "learning", how)
    tokens = config.per_device_train_batch_size * (prompt_tokens + config.max_completion_length)
    block = block_activation_bytes(config, architecture, formats)
    if config.gradient_checkpointing:
        each = architecture.layers * formats.calculation * architecture.hidden + block
        how = f"{tokens:,} tokens a pass; each block's input kept, one block calculated again"
    else:
        each = architecture.layers * block
        how = f"{tokens:,} tokens a pass, {block:,.0f} bytes a token in each of {architecture.layers} blocks"
    yield Part("Activations", tokens * each / GIB, "learning", how)
    logits = _positions_with_logits(config, prompt_tokens) * architecture.vocabulary
    size = _logit_bytes(formats, on_gpu)
    how = f"{logits:,} of a pass, {size} bytes each with their gradient"
    yield Part("Logits", logits * size / GIB, "learning", how)


def _positions_with_logits(config: StageConfig, prompt_tokens: int) -> int:
    """For which a pass has logits at one time."""
    if not isinstance(config, SftConfig):
        return config.per_device_train_batch_size * (config.max_completion_length + 1)
    if config.loss_type == "chunked_nll":
        return _CHUNK_TOKENS
    return config.per_device_train_batch_size * (prompt_tokens + config.max_completion_length)


def _logit_bytes(formats: Formats, on_gpu: bool) -> int:
    if on_gpu and formats.calculation == 4:
        return _LOGIT_BYTES_FLOAT32_GPU
    return _LOGIT_BYTES["gpu" if on_gpu else "cpu"]


def block_activation_bytes(config: StageConfig, architecture: Architecture, formats: Formats) -> float:
    """What one block keeps of one token for the backward pass.

    The counting of Korthikanti et al. 2022 (Reducing Activation Recomputation in Large Transformer Models, section 4.1), of
    transformers 5.17's Llama block with fused attention, which keeps nothing that grows with the square of the length: two
    norms with their float32 inputs (4 x hidden, and 2 x hidden in float32), queries, keys and values as attention takes
    them, repeated to all heads, with its output (4 x heads x head_dim), and the gated MLP (4 x intermediate). What autocast
    adds in 16 bits, mostly the norms' float32 outputs, is measured. Within a tenth of what PyTorch keeps (tests).
    """
    attention = architecture.heads * architecture.head_dim
    numbers = 4 * architecture.hidden + 4 * attention + 4 * architecture.intermediate
    in_float32 = 2 * architecture.hidden
    by_autocast = architecture.hidden * _AUTOCAST_BYTES["lora" if config.lora_rank else "full"]
    return numbers * formats.calculation + in_float32 * 4 + (by_autocast if formats.calculation == 2 else 0)
