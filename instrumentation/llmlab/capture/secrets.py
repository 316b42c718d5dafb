"""Secrets in prompts and answers, which are masked before anything is recorded.

What is masked: private keys; tokens with a recognisable form (OpenAI, Anthropic, Groq, Hugging Face, Google, AWS,
GitHub, GitLab, Slack, Stripe, JSON Web Tokens); what follows `Bearer` or `Basic`; passwords in URLs; and the values of
names that say that they are secret (`password=...`, `"api_key": "..."`). Personal data is not looked for.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

MASK = "[secret]"

_PRIVATE_KEY = r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
_TOKENS = (
    r"\bsk-[A-Za-z0-9_-]{16,}",  # OpenAI, Anthropic, and many who copy them
    r"\bgsk_[A-Za-z0-9]{20,}",  # Groq
    r"\bhf_[A-Za-z0-9]{20,}",
    r"\bAIza[A-Za-z0-9_-]{30,}",  # Google
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",  # AWS
    r"\bgh[pousr]_[A-Za-z0-9]{30,}",
    r"\bgithub_pat_[A-Za-z0-9_]{30,}",
    r"\bglpat-[A-Za-z0-9_-]{20,}",
    r"\bxox[a-z]-[A-Za-z0-9-]{10,}",  # Slack
    r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}",  # Stripe
    r"\bllmlab_[A-Za-z0-9_-]{16,}",
    r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*",  # JSON Web Tokens
)
_NAMES = (
    r"password|passwd|passphrase|pwd|secret|client[_-]?secret|api[_-]?key|access[_-]?key|secret[_-]?access[_-]?key|"
    r"auth[_-]?token|access[_-]?token|refresh[_-]?token|private[_-]?key|signature"
)

_WHOLE = f"{_PRIVATE_KEY}|{'|'.join(_TOKENS)}"
_AFTER = (
    r"(?P<before>\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}"
    r"|(?P<url>\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@]{0,100}:)[^\s/@]{1,200}(?=@)"
    rf"|(?P<name>(?:{_NAMES})[\"']?\s{{0,3}}[:=]\s{{0,3}}[\"']?)[^\s\"',;&]{{4,}}"
)
_SECRET_NAME = rf"(?:.*[_-])?(?:{_NAMES})"


class _Patterns(NamedTuple):
    whole: re.Pattern[str]
    after: re.Pattern[str]
    name: re.Pattern[str]


@cache
def _patterns() -> _Patterns:
    """Compile the patterns when they are first needed, since that takes 2 ms, and most programs never need them."""
    after, name = re.compile(_AFTER, re.IGNORECASE), re.compile(_SECRET_NAME, re.IGNORECASE)
    return _Patterns(re.compile(_WHOLE, re.DOTALL), after, name)


def mask(text: str) -> str:
    """Return a text with its secrets masked."""
    whole, after, _ = _patterns()
    return after.sub(lambda found: (found[1] or found[2] or found[3] or "") + MASK, whole.sub(MASK, text))


def mask_all(value: Any) -> Any:
    """Return plain data (what JSON can say) with the secrets in its texts masked, and what secret names hold."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        return {str(name): _masked(str(name), held) for name, held in value.items()}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return [mask_all(each) for each in value] if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType]


def _masked(name: str, held: Any) -> Any:
    if isinstance(held, (str, int, float)) and not isinstance(held, bool) and _patterns().name.fullmatch(name):
        return MASK
    return mask_all(held)
