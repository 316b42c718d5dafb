"""A LangChain agent as its documentation shows it: one model decides, and a tool asks another one. It knows nothing of
LLMLab.

The SDKs read keys and addresses from `OPENAI_API_KEY`, `OPENAI_BASE_URL`, `ANTHROPIC_API_KEY`, `ANTHROPIC_BASE_URL`.
"""

import asyncio
from typing import Any

from langchain.agents import create_agent
from langchain_anthropic import ChatAnthropic
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

writer = ChatAnthropic(model="claude-haiku-4-5", max_tokens=200)  # pyright: ignore[reportCallIssue]


@tool
def weather(city: str = "Oslo") -> str:
    """Return the weather in a city."""
    return f"It is sunny in {city}."


@tool
def poem(subject: str = "the sea") -> str:
    """Write a poem."""
    return str(writer.invoke(f"Write a short poem about {subject}.").text)


def build() -> Any:
    return create_agent(
        ChatOpenAI(model="gpt-4o-mini"),
        [weather, poem],
        system_prompt="You help people on their way to the coast.",
        name="guide",
    )


def question(text: str) -> Any:
    return {"messages": [{"role": "user", "content": text}]}


def main() -> None:
    agent = build()
    thread: Any = {"configurable": {"thread_id": "visitor-7"}, "metadata": {"llmlab.feature": "guide"}}
    answer = agent.invoke(question("What is the weather like today?"), thread)
    print(answer["messages"][-1].text)
    for token, _ in agent.stream(question("Please write a poem for me"), thread, stream_mode="messages"):
        print(token.text, end="", flush=True)
    print()
    answer = asyncio.run(agent.ainvoke(question("Thank you"), thread))
    print(answer["messages"][-1].text)


if __name__ == "__main__":
    main()
