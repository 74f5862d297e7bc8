"""Problems, rewards, run configuration, the run store, launching and the GRPO process.

Imports neither `analysis` nor `dashboard`. Only `grpo.py`, `evaluate.py` and `demo/pretrain.py` import torch.
"""

__version__ = "0.1.0"
