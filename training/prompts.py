"""What the model is shown: the article's system prompt, and the conversation in which a question is put to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

SYSTEM_PROMPT = """Respond in the following format:
<reasoning>
...
</reasoning>
<answer>
...
</answer>
You must put your reasoning between the <reasoning> tags and answer between the <answer> tags."""
"""The prompt of Unsloth's Llama 3.1 GRPO notebook with the line that the article adds at its end."""

Message = dict[str, str]
"""One turn of a conversation: its role and its content."""

Prompt = list[Message] | str
"""A conversation, which a chat template writes out, or a text as it is."""

SystemTurn = Literal["system", "user"]
"""Whose turn the system prompt stands in."""

ChatTemplate = Literal["model", "plain"]
"""The model's own chat template, or one of `CHAT_TEMPLATES`."""

CHAT_TEMPLATES: Mapping[ChatTemplate, str] = {
    "plain": (
        "{{ bos_token | default('') }}"
        "{% for message in messages %}"
        "{% if message.role == 'system' %}{{ message.content }}\n\n"
        "{% elif message.role == 'user' %}User: {{ message.content }}\n\n"
        "{% else %}Assistant: {{ message.content }}{{ eos_token | default('') }}\n\n{% endif %}"
        "{% endfor %}"
        "{% if add_generation_prompt %}Assistant:{% endif %}"
    ),
}
"""For base models, which have none: the words of a conversation as text, without tokens that a base model never saw."""

NO_TEMPLATE_REMEDY = "Set chat_template=plain, or use an instruct model."


@dataclass(frozen=True)
class Prompting:
    """How a question is put to a model."""

    system_prompt: str = SYSTEM_PROMPT
    """Empty for none."""
    system_turn: SystemTurn = "system"

    def messages(self, question: str, examples: Sequence[tuple[str, str]] = ()) -> list[Message]:
        """The conversation that the model completes.

        Args:
            examples: questions with their answers, as turns before the question.
        """
        asked = [part for example in examples for part in example] + [question]
        if self.system_prompt and self.system_turn == "user":
            asked[0] = f"{self.system_prompt}\n\n{asked[0]}"
        system = (
            [{"role": "system", "content": self.system_prompt}] if self.system_prompt and self.system_turn == "system" else []
        )
        roles = ("user", "assistant")
        return [*system, *({"role": roles[place % 2], "content": text} for place, text in enumerate(asked))]
