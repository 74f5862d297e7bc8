"""Each setting of the loss does something in TRL: real trainers of the demo model, one batch of completions, another loss."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.tiny_runs import rewarding_length, tiny, trainer_of, whole_and_resumed
from training.config.losses import CLIPPED, LOSSES, METHODS
from training.groups import Rollout, advantages
from training.home import Home

COMPLETIONS, PROMPT, LONGEST = 8, 5, 12


@pytest.fixture(autouse=True)
def length_is_rewarded() -> Iterator[None]:
    with rewarding_length():
        yield


def off_policy_batch(trainer: Any) -> dict[str, Any]:
    """Completions of different lengths, half of them bad, sampled by a policy that was another one."""
    generator = torch.Generator().manual_seed(1)
    lengths = torch.tensor([12, 3, 7, 9, 12, 5, 10, 2]).unsqueeze(1)
    mask = (torch.arange(LONGEST) < lengths).int()
    ids = torch.randint(10, 600, (COMPLETIONS, PROMPT + LONGEST), generator=generator)
    attention = torch.cat([torch.ones(COMPLETIONS, PROMPT, dtype=torch.int32), mask], dim=1)
    with torch.no_grad():
        own = trainer._get_per_token_logps_and_entropies(trainer.model, ids, attention, LONGEST)[0]
    drift, further = (torch.randn(own.shape, generator=generator) for _ in range(2))
    return {
        "prompt_ids": ids[:, :PROMPT],
        "prompt_mask": attention[:, :PROMPT],
        "completion_ids": ids[:, PROMPT:],
        "completion_mask": mask,
        "advantages": torch.tensor([1.0, -1.0] * (COMPLETIONS // 2)),
        "num_items_in_batch": mask.sum(),
        "old_per_token_logps": own + drift,
        "ref_per_token_logps": own + further,
    }


def ready(home: Home, **changes: Any) -> Any:
    """A trainer that computes a loss."""
    sizes = {"num_generations": 4, "per_device_train_batch_size": COMPLETIONS, "max_completion_length": 64}
    trainer = trainer_of(tiny(**sizes | {"temperature": 1.0} | changes), home)
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1
    return trainer


def loss_of(home: Home, **changes: Any) -> float:
    trainer = ready(home, **changes)
    return float(trainer._compute_loss(trainer.model, off_policy_batch(trainer)).detach())


def gradient_while_the_policy_is_the_one_that_wrote(home: Home, **changes: Any) -> torch.Tensor:
    trainer = ready(home, **changes)
    batch = off_policy_batch(trainer)
    del batch["old_per_token_logps"]
    trainer._compute_loss(trainer.model, batch).backward()
    return torch.cat([parameter.grad.flatten() for parameter in trainer.model.parameters()])


def test_every_loss_is_another_one(home: Home) -> None:
    losses = {name: loss_of(home, loss_type=name) for name in LOSSES if name != "bnpo"}
    assert len(set(losses.values())) == len(losses), losses
    assert loss_of(home, loss_type="bnpo") == pytest.approx(losses["dapo"]), "of one pass on one device"


@pytest.mark.parametrize(
    ("loss_type", "change"),
    [
        ("grpo", {"importance_sampling_level": "sequence"}),
        ("luspo", {"importance_sampling_level": "sequence"}),
        *((name, {"epsilon": 0.05}) for name in CLIPPED),
        *((name, {"epsilon_high": 0.9}) for name in (*CLIPPED, "cispo")),
        *((name, {"delta": 1.5}) for name in CLIPPED),
        ("sapo", {"sapo_temperature_pos": 3.0}),
        ("sapo", {"sapo_temperature_neg": 3.0}),
        ("vespo", {"vespo_k_pos": 0.5}),
        ("vespo", {"vespo_lambda_pos": 0.5}),
        ("vespo", {"vespo_k_neg": 0.5}),
        ("vespo", {"vespo_lambda_neg": 0.5}),
        ("dapo", {"off_policy_mask_threshold": 0.01}),
        ("dapo", {"top_entropy_quantile": 0.2}),
        ("dapo", {"entropy_coef": 0.5}),
        ("dapo", {"beta": 0.1}),
    ],
)
def test_a_setting_changes_the_loss_that_it_is_for(loss_type: str, change: dict[str, Any], home: Home) -> None:
    assert loss_of(home, loss_type=loss_type, **change) != pytest.approx(loss_of(home, loss_type=loss_type), rel=1e-4)


def test_the_kl_term_can_be_weighed_by_the_ratio(home: Home) -> None:
    plain, weighed = (loss_of(home, beta=0.1, use_bias_correction_kl=unbiased) for unbiased in (False, True))
    assert plain != pytest.approx(weighed, rel=1e-4)


def test_losses_differ_by_what_they_make_of_an_older_policy(home: Home) -> None:
    """With one update a batch, as docs/settings.md says."""
    by_token, by_completion = (
        gradient_while_the_policy_is_the_one_that_wrote(home, loss_type=name) for name in ("dapo", "grpo")
    )
    assert not torch.allclose(by_token, by_completion, rtol=1e-2)
    for name, same, settings in (
        ("vespo", by_token, {}),
        ("cispo", by_token, {"epsilon_high": 5.0}),
        ("dapo", by_token, {"epsilon": 0.01, "delta": 1.01, "importance_sampling_level": "sequence"}),
        ("sapo", by_completion, {}),
    ):
        found = gradient_while_the_policy_is_the_one_that_wrote(home, loss_type=name, **settings)
        assert torch.allclose(found, same, rtol=1e-3, atol=1e-6), name
    capped = gradient_while_the_policy_is_the_one_that_wrote(home, loss_type="cispo")
    assert torch.allclose(capped, 0.2 * by_token, rtol=1e-3, atol=1e-6), "the default range caps the ratio at 0.2"


@pytest.mark.parametrize("loss_type", ["cispo", "sapo", "vespo"])
def test_a_loss_that_does_not_clip_passes_over_what_clips(loss_type: str, home: Home) -> None:
    upper = {} if loss_type == "cispo" else {"epsilon_high": 0.9}
    clipping = {"epsilon": 0.05, "delta": 1.5, "epsilon_high": 0.2} | upper
    assert loss_of(home, loss_type=loss_type, **clipping) == pytest.approx(loss_of(home, loss_type=loss_type))


def test_the_losses_are_in_the_documents_with_their_sources() -> None:
    text = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
    assert [name for name, says in (*LOSSES.items(), *METHODS.items()) if f"| `{name}` | {says} |" not in text] == []


def trained(home: Home, **changes: Any) -> tuple[Any, list[Rollout]]:
    """A trainer that has trained, and its ledger."""
    rollouts: list[Rollout] = []
    trainer = trainer_of(tiny(**changes), home, rollouts.extend)
    trainer.train()
    return trainer, rollouts


def test_a_high_min_p_leaves_the_likeliest_token(home: Home) -> None:
    _, rollouts = trained(home, max_steps=1, min_p=1.0)
    assert [len({rollout.completion for rollout in rollouts if rollout.group_index == group}) for group in (0, 1)] == [1, 1]
    _, free = trained(home, max_steps=1)
    assert len({rollout.completion for rollout in free}) == 4


def test_an_adapted_bonus_rises_while_the_entropy_is_at_most_the_target(home: Home) -> None:
    adapted = {"use_adaptive_entropy": True, "entropy_coef_delta": 0.25, "entropy_coef_max": 0.6, "max_steps": 3}
    for target, expected in ((50.0, [0.25, 0.5, 0.6]), (0.001, [0.1, 0.1, 0.1])):
        trainer, _ = trained(home, **adapted, entropy_target=target, entropy_coef_min=0.1)
        logged = [log["entropy_coef"] for log in trainer.state.log_history if "entropy_coef" in log]
        assert logged == pytest.approx(expected)


def test_a_reference_model_that_follows_wholly_is_the_policy(home: Home) -> None:
    for follows, expected in ((True, True), (False, False)):
        follow = {"sync_ref_model": follows, "ref_model_sync_steps": 1, "ref_model_mixup_alpha": 1.0}
        trainer, _ = trained(home, beta=0.1, **follow)
        policy, reference = trainer.model.state_dict(), trainer.ref_model.state_dict()
        assert all(torch.equal(policy[name], reference[name]) for name in policy) is expected


def test_rloo_takes_the_kl_penalty_off_the_reward(home: Home) -> None:
    """The ledger's totals are without it, so what is computed from them is TRL's until the policy has moved."""
    config = tiny(method="rloo", beta=0.5, num_generations=4, learning_rate=1e-2)
    _, rollouts = trained(home, **config.model_dump())
    found = advantages(rollouts, config.reward_weights, config.credit)
    apart = {1: 0.0, 2: 0.0}
    for rollout, value in zip(rollouts, found, strict=True):
        apart[rollout.step] = max(apart[rollout.step], abs(rollout.advantage - value))
    assert apart[1] < 1e-4 < 1e-2 < apart[2]


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "rloo", "beta": 0.1},
        {"method": "rloo", "num_iterations": 2, "num_generations": 4},
        {"use_adaptive_entropy": True, "entropy_target": 50.0, "entropy_coef_delta": 0.5, "entropy_coef_max": 9.0},
        {"beta": 1.0, "sync_ref_model": True, "ref_model_sync_steps": 1},
    ],
)
def test_a_run_resumed_from_a_checkpoint_goes_on_as_if_it_had_not_stopped(changes: dict[str, Any], home: Home) -> None:
    whole, resumed = whole_and_resumed(tiny(**changes), home)
    assert resumed == [rollout for rollout in whole if rollout.step > 2]
