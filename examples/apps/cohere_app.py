"""Uses Cohere's SDK as its documentation shows, and knows nothing of LLMLab.

The SDK reads the key from `CO_API_KEY`, and another address than Cohere's from `CO_API_URL`.
"""

import asyncio

import cohere

MODEL = "command-r-plus-08-2024"
REFUNDS = ["Returns are free within 30 days.", "Shipping takes three days.", "We do not ship to Iceland."]


async def summarise() -> None:
    async with cohere.AsyncClientV2() as client:
        await client.chat(model=MODEL, messages=[cohere.UserChatMessageV2(content=" ".join(REFUNDS))])


def main() -> None:
    client = cohere.ClientV2()
    vectors = client.embed(
        model="embed-v4.0", texts=REFUNDS, input_type="search_document", embedding_types=["float"], output_dimension=256
    )
    best = client.rerank(model="rerank-v3.5", query="Can I return shoes?", documents=REFUNDS, top_n=1).results[0]
    question = cohere.UserChatMessageV2(content=f"{REFUNDS[best.index]} Can I return shoes?")
    events = client.chat_stream(model=MODEL, messages=[question])
    print(len(vectors.embeddings.float_ or ()), "texts,", len(list(events)), "events")
    asyncio.run(summarise())


if __name__ == "__main__":
    main()
