import openai
import pytest

from fake_provider.testing import FakeProvider


def test_texts_become_vectors_of_the_models_size(provider: FakeProvider, client: openai.OpenAI) -> None:
    response = client.embeddings.create(model="text-embedding-3-large", input=["one", "two"])
    assert [len(item.embedding) for item in response.data] == [3072, 3072]
    assert response.data[0].embedding != response.data[1].embedding
    assert (response.usage.prompt_tokens, response.usage.total_tokens) == (2, 2)
    assert provider.requests[0].usage == {"prompt_tokens": 2, "total_tokens": 2}


def test_base64_and_floats_say_the_same(client: openai.OpenAI) -> None:
    floats = client.embeddings.create(model="text-embedding-3-small", input="one", encoding_format="float")
    decoded = client.embeddings.create(model="text-embedding-3-small", input="one")  # the SDK asks for base64
    assert floats.data[0].embedding == pytest.approx(decoded.data[0].embedding)
    assert sum(number * number for number in floats.data[0].embedding) == pytest.approx(1.0)


def test_the_caller_chooses_the_dimensions(client: openai.OpenAI) -> None:
    response = client.embeddings.create(model="text-embedding-3-small", input="one", dimensions=8)
    assert len(response.data[0].embedding) == 8


def test_tokens_are_counted_as_they_are(client: openai.OpenAI) -> None:
    response = client.embeddings.create(model="text-embedding-3-small", input=[[1, 2, 3], [4]])
    assert response.usage.prompt_tokens == 4


def test_azure_embeds_by_deployment(provider: FakeProvider) -> None:
    with openai.AzureOpenAI(azure_endpoint=provider.url, api_key="fake", api_version="2024-10-21") as client:
        response = client.embeddings.create(model="text-embedding-3-small", input="one")
    assert response.model == "text-embedding-3-small"
    assert provider.requests[0].path == "/openai/deployments/text-embedding-3-small/embeddings"
