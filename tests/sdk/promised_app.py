"""An application that uses what was promised, as it was promised. The environment names provider and exporter."""

# The promised lines stand as they were promised, where a linter would have them otherwise.
# ruff: noqa: E402, RET504, T201
# pyright: basic
# fmt: off
from typing import Any

import anthropic
import openai
from openai.types.chat import ChatCompletion

client: Any = openai.OpenAI()
QUESTION: Any = [{"role": "user", "content": "What does a token cost? " * 50}]

# ---- promised
from llmlab import track_cost


@track_cost(provider="openai")
def generate_summary(text):
    response = client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": text}])
    return response


# ----
summary = generate_summary("A long story. " * 50)
assert isinstance(summary, ChatCompletion)

client = anthropic.Anthropic()

# ---- promised
with track_cost(provider="anthropic"):
    response = client.messages.create(model="claude-haiku-4-5", max_tokens=50, messages=QUESTION)

# ----
assert isinstance(response, anthropic.types.Message)

# ---- promised
from llmlab import sdk

sdk.init("llmlab_xxx")
sdk.track_call(provider="openai", model="gpt-4", input_tokens=1000, output_tokens=500,
               metadata={"feature": "summarization"})
sdk.track_call("openai", "gpt-4", 1000, 500)          # positional too
for rec in sdk.get_recommendations():
    print(rec["title"], rec["savings_percentage"], rec["confidence"])
