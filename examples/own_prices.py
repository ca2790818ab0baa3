"""Prices of your own: a discount, an Azure deployment with a name of yours, and a GPU paid by the hour."""

import openai

import tokenguard

guard = tokenguard.Guard(
    deployments={"chat-prod": "gpt-4.1-mini"},
    prices=[
        tokenguard.PriceOverride("gpt-4.1-mini", discount="15%", provider="azure.ai.openai"),
        tokenguard.PriceOverride("llama-3.3-70b", gpu_hour_usd="2.40", tokens_per_second="900"),
    ],
    on_unpriced="refuse",  # a model without a price is an error before anything is sent
)
messages = [{"role": "user", "content": "Where is my parcel?"}]

azure = guard.wrap(openai.AzureOpenAI(api_version="2025-04-01-preview"))  # AZURE_OPENAI_ENDPOINT, ..._API_KEY
reply = azure.chat.completions.create(model="chat-prod", messages=messages)
receipt = guard.receipt(reply)
print(f"{receipt.model_requested}: {receipt.cost_nano} nano-dollars, {receipt.list_cost_nano} at list price")

own = guard.wrap(openai.OpenAI())  # OPENAI_BASE_URL names the server on your GPU
reply = own.chat.completions.create(model="llama-3.3-70b", messages=messages)
for line in guard.receipt(reply).lines:
    print(f"{line.quantity} x {line.meter} at ${line.unit_price} per million: {line.cost_nano}")

try:
    own.chat.completions.create(model="nobody-knows-it", messages=messages)
except tokenguard.UnpricedModelError as error:
    print(error)
