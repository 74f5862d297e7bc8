"""The registry of signals: what each is called, what it needs, what to do about it and whose knowledge that is.

A new signal is one function of a `Record`, one entry here and one name in `training.signal_names`. Whether it is an alarm or
an audit is said by its record (`make doctor-record`).
"""

from training.doctor import of_groups, of_learning, of_pace, of_rewards, of_texts
from training.doctor.finding import Signal
from training.signal_names import SignalName
from training.text import percent

_DAPO = "Yu et al. 2025, DAPO, arXiv 2503.14476"
_DR_GRPO = "Liu et al. 2025, Understanding R1-Zero-Like Training (Dr. GRPO), arXiv 2503.20783"
_TRL = "TRL documentation, GRPO Trainer, Logged metrics"
_GOODHART = "Gao et al. 2022, Scaling Laws for Reward Model Overoptimization, arXiv 2210.10760"
_HACKING = "Amodei et al. 2016, Concrete Problems in AI Safety (reward hacking), arXiv 1606.06565"
_LORA = "Schulman et al. 2025, LoRA Without Regret, Thinking Machines"
_MECHANISM = "Cui et al. 2025, The Entropy Mechanism of Reinforcement Learning for Reasoning Language Models, arXiv 2505.22617"

SIGNALS: dict[SignalName, Signal] = {
    signal.name: signal
    for signal in (
        Signal(
            "not_a_number",
            "Loss or gradient not a number",
            "alarm",
            of_learning.not_a_number,
            "Loss, gradient norm, KL and entropy were numbers at every step.",
            "the scalars loss or grad_norm",
            "Resume from a checkpoint before that step with a lower learning rate or max_grad_norm, and with precision "
            "bfloat16 or "
            "float32 instead of float16.",
            "PyTorch documentation, Automatic Mixed Precision; " + _TRL,
            ("loss", "grad_norm"),
        ),
        Signal(
            "reward_without_skill",
            "Reward rises, correctness falls",
            "alarm",
            of_rewards.reward_without_skill,
            "The reward does not rise while correctness falls.",
            "the verifier's values and totals",
            "Read the completions that are wrong and well paid, then take weight off what pays them or give correctness "
            "more of it; "
            "`python -m training reweigh` says what other weights would have done.",
            _GOODHART,
            ("reward",),
        ),
        Signal(
            "held_out_behind",
            "Reward rises, held-out answers do not",
            "alarm",
            of_rewards.held_out_behind,
            "Where the training reward rose from one evaluation to a later one, held-out answers did not stay behind.",
            f"two evaluations with {of_rewards.MIN_COMMON} problems in common",
            "Compare the evaluations problem by problem; then pay for correctness rather than form, train on more problems "
            "or for "
            "fewer steps, and see whether train problems leak.",
            _GOODHART,
            ("reward",),
        ),
        Signal(
            "rate_too_high",
            "The policy breaks",
            "alarm",
            of_learning.rate_too_high,
            "Reward and correctness did not break down with entropy, KL or gradients out of their range.",
            "the verifier's values, and entropy, KL or gradient norm",
            "Resume from a checkpoint before that step, or begin anew, with a third of the learning rate; add warmup_ratio, "
            "or beta "
            "above 0.",
            _LORA,
            ("reward", "learning_rate"),
        ),
        Signal(
            "rate_too_low",
            "Nothing moves",
            "audit",
            of_learning.rate_too_low,
            "Reward, length, entropy or KL moved.",
            f"{of_learning.MIN_RATE_STEPS} steps; entropy and KL are heeded where they are logged",
            "Raise the learning rate three to ten times: an adapter takes about ten times that of full fine-tuning.",
            _LORA,
            ("learning_rate",),
        ),
        Signal(
            "entropy_collapse",
            "Entropy collapse",
            "alarm",
            of_learning.entropy_collapse,
            f"Entropy stays above {percent(of_learning.ENTROPY_SHARE)} of what it was at first, or answers are right by now.",
            "the scalar entropy",
            "Raise epsilon_high (0.28), add entropy_coef or use_adaptive_entropy, lower the learning rate, or raise the "
            "temperature.",
            f"{_MECHANISM}; {_DAPO}",
            ("entropy",),
        ),
        Signal(
            "entropy_explosion",
            "Entropy explosion",
            "alarm",
            of_learning.entropy_explosion,
            f"Entropy stays below {of_learning.ENTROPY_TIMES:g} times what it was at first.",
            "the scalar entropy",
            "Lower the learning rate, take entropy_coef away, mask truncated completions, or add beta.",
            _MECHANISM,
            ("entropy",),
        ),
        Signal(
            "kl_growth",
            "KL growth",
            "alarm",
            of_learning.kl_growth,
            f"KL from the reference model stays below {of_learning.KL_HIGH:g} nats a token and does not run away.",
            "the scalar kl, which is logged with beta above 0",
            "Raise beta or lower the learning rate; with a long run, sync_ref_model lets the reference follow.",
            "Schulman 2020, Approximating KL Divergence; Ziegler et al. 2019, arXiv 1909.08593",
            ("kl",),
        ),
        Signal(
            "gradient_spikes",
            "Gradient spikes",
            "alarm",
            of_learning.gradient_spikes,
            "No gradient stands far out, and gradients have not grown tenfold.",
            "16 steps of the scalar grad_norm",
            "Lower max_grad_norm or the learning rate; look at the step's groups for one with a hardly varying reward, whose "
            "deviation is divided by.",
            f"Pascanu et al. 2013, arXiv 1211.5063; {_DR_GRPO}",
            ("grad_norm",),
        ),
        Signal(
            "loss_spikes",
            "Loss spikes",
            "alarm",
            of_learning.loss_spikes,
            "No step's loss stands far out.",
            "16 steps of the scalar loss",
            "Set delta (two-sided clipping), lower the learning rate, or mask truncated completions.",
            "Prime Intellect 2025, INTELLECT-2 (two-sided clipping), arXiv 2505.07291",
            ("loss",),
        ),
        Signal(
            "clipped",
            "Many tokens clipped",
            "alarm",
            of_learning.clipped,
            f"Fewer than {percent(of_learning.CLIP_SHARE)} of the tokens are clipped.",
            "the scalar clip_ratio/region_mean, which is above 0 only with num_iterations above 1",
            "Lower num_iterations or the learning rate, or raise epsilon_high.",
            f"Schulman et al. 2017, PPO, arXiv 1707.06347; {_DAPO}",
            ("clip_ratio/region_mean",),
        ),
        Signal(
            "vllm_mismatch",
            "vLLM samples from another policy",
            "alarm",
            of_learning.vllm_mismatch,
            "vLLM's probabilities are those of the trainer, but for rounding.",
            "the scalars sampling/*, which runs with use_vllm log",
            "Keep vllm_importance_sampling_correction on, use one precision in both, and see that vLLM has the trained "
            "weights and "
            "the same temperature.",
            "Yao et al. 2025, Your Efficient RL Framework Secretly Brings You Off-Policy RL Training; TRL documentation, vLLM "
            "integration",
            ("sampling/sampling_logp_difference/mean",),
        ),
        Signal(
            "flat_right",
            "Groups all right, nothing learnt",
            "audit",
            of_groups.flat_right,
            f"In fewer than {percent(of_groups.FLAT_SHARE)} of the groups all completions earned the same, or few of those "
            "were "
            "all right.",
            "groups with totals and the verifier's values",
            "Use harder problems: sampling = pools, dynamic_sampling_rounds, or a subset without what is mastered.",
            _DAPO,
            ("frac_reward_zero_std",),
        ),
        Signal(
            "flat_wrong",
            "Groups all wrong, nothing learnt",
            "alarm",
            of_groups.flat_wrong,
            f"In fewer than {percent(of_groups.FLAT_SHARE)} of the groups all completions earned the same, or few of those "
            "were "
            "all wrong.",
            "groups with totals and the verifier's values",
            "Use easier problems or a stronger model, raise num_generations, add a reward for parts, or teach the form "
            "first (a "
            "stage of fine-tuning).",
            _DAPO,
            ("frac_reward_zero_std",),
        ),
        Signal(
            "flat_same",
            "Right and wrong paid alike",
            "alarm",
            of_groups.flat_same,
            "Groups of right and wrong completions earn differently.",
            "groups with totals",
            "Give the verifier's function a weight, and see that no other reward cancels it.",
            _HACKING,
            ("frac_reward_zero_std",),
        ),
        Signal(
            "silent_rewards",
            "Reward functions that never fire",
            "alarm",
            of_rewards.silent_rewards,
            "Every reward function paid something for some completion.",
            f"{of_rewards.MIN_SILENT} completions",
            "Try the function on a right completion (`python -m training score`, or the bench on Launch), say in the system "
            "prompt "
            "what it asks for, or take it out.",
            _HACKING,
        ),
        Signal(
            "reward_saturated",
            "Reward saturated",
            "audit",
            of_rewards.reward_saturated,
            f"Fewer than {percent(of_rewards.SATURATED_SHARE)} of the completions earn the most there is.",
            "totals",
            "Stop the run if that is what it was for; otherwise use harder problems or a reward that tells good from better.",
            _DAPO,
            ("reward",),
        ),
        Signal(
            "plateau",
            "Plateau",
            "audit",
            of_rewards.plateau,
            "The reward was still rising, or near its maximum.",
            f"{of_rewards.PLATEAU_STEPS} steps",
            "Stop at the best checkpoint, or change what limits it: the problems (sampling = pools), the learning rate, the "
            "group "
            "size.",
            _MECHANISM,
            ("reward",),
        ),
        Signal(
            "cut_off",
            "Completions cut off",
            "alarm",
            of_texts.cut_off,
            f"Fewer than {percent(of_texts.CUT_SHARE)} of the completions ran into the length limit.",
            "how completions ended",
            "Raise max_completion_length, mask_truncated_completions, or pay for brevity.",
            f"{_DAPO} (overlong reward shaping)",
            ("completions/clipped_ratio",),
        ),
        Signal(
            "no_answer",
            "Completions without an answer",
            "alarm",
            of_texts.no_answer,
            f"Fewer than {percent(of_texts.UNMARKED_SHARE)} of the completions mark no answer in the form asked for.",
            "completions",
            "Say in the system prompt how answers are marked, check answer_form, pay for the form, or teach it first.",
            _DR_GRPO + " (templates)",
        ),
        Signal(
            "unreadable_answers",
            "Answers that are no number",
            "audit",
            of_texts.unreadable_answers,
            "Marked answers are numbers as right ones are, or become so.",
            "completions, ten right ones with a number among them",
            "Use a verifier that reads them (value_correctness, math), or ask for the bare number.",
            "Hugging Face 2025, Math-Verify documentation",
        ),
        Signal(
            "unscored",
            "Completions that the verifier cannot judge",
            "alarm",
            of_texts.unscored,
            f"The verifier gave at least {percent(1 - of_texts.UNSCORED_SHARE)} of the completions a value.",
            "the verifier's values",
            "Read one of them and its gold answer: choose a verifier that knows such answers, or leave such problems out.",
            "Hugging Face 2025, Math-Verify documentation",
        ),
        Signal(
            "no_reasoning",
            "Answers without reasoning",
            "alarm",
            of_texts.no_reasoning,
            "Answers come with as much reasoning as the run began with.",
            "completions that mark an answer, with reasoning at the run's beginning",
            "Take weight off rewards of form and brevity, ask for reasoning in the reward, and compare held-out skill.",
            _HACKING,
            ("completions/mean_length",),
        ),
        Signal(
            "repeats",
            "Repeated completions",
            "alarm",
            of_texts.repeats,
            f"In groups that are not all right, fewer than {percent(of_texts.REPEAT_SHARE)} of the completions that could "
            "repeat "
            "another do.",
            "completions",
            "Raise the temperature or entropy_coef, lower the learning rate.",
            _MECHANISM,
            ("entropy",),
        ),
        Signal(
            "loops",
            "Completions that go round in circles",
            "alarm",
            of_texts.loops,
            f"Fewer than {percent(of_texts.LOOP_SHARE)} of the completions repeat their own words.",
            f"completions of more than {of_texts.LEAST_SEQUENCES} words",
            "Add the repetition reward, lower the learning rate, or resume from a checkpoint before it.",
            "Welleck et al. 2019, Neural Text Generation with Unlikelihood Training (seq-rep-4), arXiv 1908.04319",
            ("completions/mean_length",),
        ),
        Signal(
            "length_drift",
            "Length drifts without skill",
            "alarm",
            of_texts.length_drift,
            "Completions keep their length, or get better with it.",
            "20 steps",
            "With the loss grpo use dr_grpo or dapo; look for a reward that pays for length, or for stopping early.",
            _DR_GRPO,
            ("completions/mean_length",),
        ),
        Signal(
            "length_bias",
            "Length differs between right and wrong",
            "audit",
            of_texts.length_bias,
            "Within groups wrong and right completions keep their lengths to one another.",
            "20 steps with groups of right and wrong completions",
            "With the loss grpo use dr_grpo: averaging over each completion's own length favours long wrong ones.",
            _DR_GRPO,
            ("completions/mean_length",),
        ),
        Signal(
            "slow_steps",
            "Slow steps",
            "audit",
            of_pace.slow_steps,
            "No steps cost a tenth of the time beyond the usual, and steps do not take twice as long as at first.",
            "20 steps of the scalar step_time",
            "See what else the machine does (System and log), what a reward function waits for, and whether single "
            "completions are "
            "much longer.",
            _TRL,
            ("step_time",),
        ),
        Signal(
            "slow_process",
            "One GPU works unlike the others",
            "alarm",
            of_pace.slow_process,
            "All GPUs of the run are at work alike.",
            "two GPUs and 20 steps of what they did",
            "See its temperature, power and what else runs on it; give the run another machine.",
            "Lin et al. 2025, Understanding Stragglers in Large Model Training Using What-if Analysis, arXiv 2505.05713",
            ("step_time",),
        ),
    )
}
