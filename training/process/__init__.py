"""What a training run does besides `training.grpo`: its data, its ledger, its record, its workers."""
