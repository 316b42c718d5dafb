"""A sample application that uses Amazon Bedrock through boto3 as its documentation shows.

boto3 reads the address from `AWS_ENDPOINT_URL_BEDROCK_RUNTIME`, the region from `AWS_DEFAULT_REGION` and the
credentials from wherever they are configured.
"""

import json
from typing import Any

import boto3

NOVA = "amazon.nova-lite-v1:0"
CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"


def converse(client: Any, question: str) -> None:
    response = client.converse(modelId=NOVA, messages=[{"role": "user", "content": [{"text": question}]}])
    print(response["output"]["message"]["content"][0]["text"])


def converse_streamed(client: Any, question: str) -> None:
    response = client.converse_stream(modelId=NOVA, messages=[{"role": "user", "content": [{"text": question}]}])
    for event in response["stream"]:
        print(event.get("contentBlockDelta", {}).get("delta", {}).get("text", ""), end="")
    print()


def invoke(client: Any, question: str) -> None:
    response = client.invoke_model(modelId=CLAUDE, body=_message(question))
    print(json.load(response["body"])["content"][0]["text"])


def invoke_streamed(client: Any, question: str) -> None:
    response = client.invoke_model_with_response_stream(modelId=CLAUDE, body=_message(question))
    chunks = [json.loads(event["chunk"]["bytes"]) for event in response["body"]]
    print("".join(chunk["delta"]["text"] for chunk in chunks if chunk["type"] == "content_block_delta"))


def _message(question: str) -> str:
    return json.dumps(
        {
            "anthropic_version": "bedrock-2023-05-31",
            "max_tokens": 100,
            "messages": [{"role": "user", "content": question}],
        }
    )


def main() -> None:
    client: Any = boto3.client("bedrock-runtime")
    for call in (converse, converse_streamed, invoke, invoke_streamed):
        call(client, "How long does shipping take?")
    client.close()


if __name__ == "__main__":
    main()
