"""What a model is asked and what it answers, in the form of OpenAI's chat completions.

A `Model` takes messages and gives an answer, or raises: `RetryLater` where another attempt may go
better (`BadAnswer` for an answer that cannot be used), `Permanent` where it will not. An answer is
used only if it is whole: nothing here guesses what a model may have meant.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from unicodedata import category

from quaero.errors import BadAnswer

LONGEST_ANSWER = 50_000
"""Characters; what is longer is no answer to any question of ours."""
Message = dict[str, str]

_REFUSAL = re.compile(
    r"\W*(?:i['’]?m (?:very |really )?sorry|i am sorry|sorry,|i can(?:['’]t|not) |i['’]m (?:not "
    r"able|unable)|i am (?:not able|unable)|as an ai\b|i (?:must|have to) decline|es tut mir leid|"
    r"ich kann (?:diese|ihnen|dabei)|je (?:suis désolé|ne peux pas)|lo siento)",
    re.IGNORECASE,
)
_MARKS = re.compile(r"<\|[a-z_]+\|>|</?s>|\[/?INST\]|<(?:start|end)_of_turn>")
_THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, and what it took."""

    text: str
    tokens_in: int
    tokens_out: int


class Model(Protocol):
    """Something that answers; `name` is what people are told of it, and what is audited."""

    name: str

    async def ask(self, messages: Sequence[Message], max_tokens: int) -> Answer:
        """The answer to messages, of at most so many tokens."""


def read_completion(value: Any) -> Answer:
    """The answer in a chat completion. Raises `BadAnswer` for all that is not a whole one."""
    try:
        (choice, *_) = value["choices"]
        message = choice["message"]
        content = message.get("content")
        refusal, reason = message.get("refusal"), choice.get("finish_reason")
        usage = value.get("usage") or {}
        tokens = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BadAnswer("the model's server answered with JSON that is no completion") from None
    if isinstance(refusal, str) and refusal:
        raise BadAnswer(f"the model refused: {refusal[:200]}")
    if reason == "content_filter":
        raise BadAnswer("the model's answer was withheld by its content filter")
    if not isinstance(content, str) or not content.strip():
        raise BadAnswer("the model answered with no text")
    if len(content) > LONGEST_ANSWER:
        raise BadAnswer(f"the model answered with {len(content)} characters, far too many")
    if reason == "length":
        raise BadAnswer(
            "the model's answer was cut off at its limit of tokens; raise model.max_tokens"
        )
    if reason not in ("stop", "eos", None):
        raise BadAnswer(f"the model ended its answer by {str(reason)[:40]!r}, not by an end")
    return Answer(_clean(content), *tokens)


def _count(value: Any) -> int:
    return value if isinstance(value, int) and 0 <= value < 2**40 else 0


def _clean(content: str) -> str:
    """The text without a model's thoughts beforehand. Raises `BadAnswer` for what is no text."""
    text = _THOUGHT.sub("", content, count=1).strip()
    if not text:
        raise BadAnswer("the model answered with thoughts and no text")
    if _REFUSAL.match(text):
        raise BadAnswer(f"the model refused: {text[:200]}")
    if _MARKS.search(text):
        raise BadAnswer("the model answered with marks of its own template; check that it fits")
    unprintable = sum(not (c.isprintable() or c in "\n\t") or c == "\ufffd" for c in text)
    if unprintable > len(text) // 50:
        raise BadAnswer("the model answered with characters that are no text")
    letters = sum(c.isalpha() or c.isspace() or category(c).startswith("M") for c in text)
    if letters < len(text) * 0.6:
        raise BadAnswer("the model answered with signs that are no sentences")
    words = text.lower().split()
    if len(words) > 30 and len(set(words)) < len(words) * 0.2:
        raise BadAnswer("the model answered with the same words over and over")
    return text
