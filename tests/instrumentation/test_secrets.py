"""Secrets are masked, and what is none stays."""

import pytest

from llmlab.capture.secrets import MASK, mask, mask_all

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


@pytest.mark.parametrize(
    "secret",
    [
        f"sk-{LETTERS}",
        f"sk-ant-api03-{LETTERS}",
        f"gsk_{LETTERS}",
        f"hf_{LETTERS}",
        f"AIza{LETTERS}",
        "AKIAIOSFODNN7EXAMPLE",
        f"ghp_{LETTERS}",
        f"glpat-{LETTERS}",
        "xoxb-123456789012-abc",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        f"-----BEGIN RSA PRIVATE KEY-----\n{LETTERS}\n-----END RSA PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\n{LETTERS}",
    ],
)
def test_a_token_of_a_known_form_is_masked(secret: str) -> None:
    assert mask(f"use {secret}") == f"use {MASK}"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Authorization: Bearer abcdef123456", f"Authorization: Bearer {MASK}"),
        ("password=hunter22 and more", f"password={MASK} and more"),
        ('{"api_key": "12345678"}', f'{{"api_key": "{MASK}"}}'),
        ("postgres://me:hunter22@db/x", f"postgres://me:{MASK}@db/x"),
        ("DB_PASSWORD=hunter22", f"DB_PASSWORD={MASK}"),
    ],
)
def test_what_follows_a_telling_name_is_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    ["forgot my password, help", "risk-averse task-oriented people", "me@example.com", "the bearer of bad news", ""],
)
def test_ordinary_words_stay(text: str) -> None:
    assert mask(text) == text


def test_values_of_secret_names_are_masked_at_any_depth() -> None:
    given = {"query": "x", "auth": [{"db_password": "a", "token_count": 5, "secret": True}]}
    assert mask_all(given) == {"query": "x", "auth": [{"db_password": MASK, "token_count": 5, "secret": True}]}
