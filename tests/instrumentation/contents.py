"""What the tests of prompts and answers share."""

from typing import Any

KEY = "sk-proj-abcdefghijklmnopqrstuvwx"
ASKED = f"hello, my key is {KEY}"
REPLY = "one two three"
HEADERS = {"x-fake-reply": REPLY}


def says(role: str, text: str) -> dict[str, Any]:
    """Return a message of one text in the form of the conventions."""
    return {"role": role, "parts": [{"type": "text", "content": text}]}


SAID = [says("assistant", REPLY)]
QUESTION = [says("user", "hello, my key is [secret]")]
