"""The Muon optimizer in float32, for training the demo model on a CPU; what it is used on is `pretrain`'s choice."""

from __future__ import annotations

import math

import torch


class Muon(torch.optim.Optimizer):
    """Momentum made orthogonal by five Newton-Schulz steps (K. Jordan, 2024), scaled to AdamW's step size (Liu et al., 2025).

    Learns from about half as many problems as AdamW. torch.optim.Muon calculates in bfloat16, which is 50 times slower
    than float32 on a CPU without bfloat16 instructions. Takes matrices only.
    """

    def __init__(self, matrices: list[torch.nn.Parameter], lr: float, weight_decay: float, momentum: float = 0.95) -> None:
        super().__init__(matrices, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[torch.nn.Parameter]] = {}
            for matrix in group["params"]:
                by_shape.setdefault(matrix.shape, []).append(matrix)
            for shape, matrices in by_shape.items():
                updates = torch.stack([self._momentum(matrix, group["momentum"]) for matrix in matrices])
                scale = group["lr"] * 0.2 * math.sqrt(max(shape))
                for matrix, update in zip(matrices, orthogonal(updates), strict=True):
                    matrix.mul_(1 - group["lr"] * group["weight_decay"]).sub_(update, alpha=scale)

    def _momentum(self, matrix: torch.nn.Parameter, factor: float) -> torch.Tensor:
        assert matrix.grad is not None
        buffer = self.state[matrix].setdefault("momentum", torch.zeros_like(matrix))
        buffer.lerp_(matrix.grad, 1 - factor)
        return torch.lerp(matrix.grad, buffer, factor)


def orthogonal(matrices: torch.Tensor) -> torch.Tensor:
    """(K, rows, columns): each matrix with its singular values brought near 1; coefficients from Muon's author."""
    x = matrices if matrices.shape[1] <= matrices.shape[2] else matrices.mT
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + 1e-7)
    for _ in range(5):
        gram = x @ x.mT
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    result: torch.Tensor = x if matrices.shape[1] <= matrices.shape[2] else x.mT
    return result
