"""What the model is shown: the article's system prompt and the chat messages of a problem."""

SYSTEM_PROMPT = """Respond in the following format:
<reasoning>
...
</reasoning>
<answer>
...
</answer>
You must put your reasoning between the <reasoning> tags and answer between the <answer> tags."""
"""The prompt of Unsloth's Llama 3.1 GRPO notebook with the line that the article adds at its end."""


def chat_messages(question: str, system_prompt: str = SYSTEM_PROMPT) -> list[dict[str, str]]:
    """The conversation a model completes: a system turn, left out when `system_prompt` is empty, and the question."""
    system = [{"role": "system", "content": system_prompt}] if system_prompt else []
    return [*system, {"role": "user", "content": question}]
