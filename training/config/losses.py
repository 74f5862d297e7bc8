"""What a run can learn by: TRL's methods and losses, each in a sentence with its source."""

from collections.abc import Mapping
from typing import Literal

LossName = Literal["grpo", "dr_grpo", "dapo", "bnpo", "cispo", "sapo", "luspo", "vespo"]

CLIPPED: tuple[LossName, ...] = ("grpo", "dr_grpo", "dapo", "bnpo", "luspo")
"""The losses that clip the probability ratio on both sides."""

METHODS: Mapping[str, str] = {
    "grpo": "Holds each completion against its group's mean; the loss and its clipping are chosen below (DeepSeekMath, "
    "arXiv 2402.03300).",
    "rloo": "Holds each completion against the mean of its group's others, clips the ratio of whole completions, and takes the "
    "KL penalty off the reward (Ahmadian et al., arXiv 2402.14740).",
}

LOSSES: Mapping[str, str] = {
    "grpo": "Clipped token losses are averaged in each completion, then over completions, so that a token of a long one counts "
    "less (DeepSeekMath, arXiv 2402.03300).",
    "dr_grpo": "Clipped token losses are summed and divided by the longest completion allowed, so that length has no say (Dr. "
    "GRPO, arXiv 2503.20783).",
    "dapo": "Clipped token losses are averaged over all tokens of a step, so that each counts alike (DAPO, arXiv 2503.14476).",
    "bnpo": "As dapo, but averaged over the tokens of each pass on each device, so that it depends on how a step is divided "
    "(TRL's own).",
    "cispo": "The ratio, capped at the upper clip range itself, weighs each token's gradient, and no token is left out "
    "(MiniMax-M1, arXiv 2506.13585).",
    "sapo": "A smooth gate takes the place of clipping, with a temperature for good and one for bad completions (SAPO, arXiv "
    "2511.20347).",
    "luspo": "The loss of whole completions as in GSPO, each times its length, so that short ones are not favoured (LUSPO, "
    "arXiv 2602.05261).",
    "vespo": "A smooth weight of the whole completion's ratio takes the place of clipping, made for completions of an older "
    "policy (VESPO, arXiv 2602.10693).",
}
