"""Many streams at once on one event loop; one of them is abandoned, and still accounted for."""

import asyncio

import openai

import tokenguard

guard = tokenguard.Guard()


async def tell(client: openai.AsyncOpenAI, subject: str, pieces: int | None = None) -> tokenguard.Receipt:
    """Read a story to its end, or only its first pieces."""
    messages = [{"role": "user", "content": f"Tell me about {subject} in two sentences."}]
    async with await client.chat.completions.create(
        model="gpt-4.1-mini", messages=messages, stream=True
    ) as stream:
        read = 0
        async for _ in stream:
            read += 1
            if read == pieces:
                break
    return guard.receipt(stream)


async def main() -> None:
    """Three whole streams and a part of one."""
    async with guard.wrap(openai.AsyncOpenAI()) as client:
        whole = [tell(client, subject) for subject in ("tides", "glass", "yeast")]
        for receipt in await asyncio.gather(*whole, tell(client, "the sea", pieces=3)):
            print(receipt.status, receipt.cost_basis, receipt.usage.output_tokens, receipt.cost_nano)


asyncio.run(main())
