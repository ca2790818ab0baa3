"""The prices of genai-prices as files, one for each provider, so that no call has to import them all.

Origin: genai-prices (https://github.com/pydantic/genai-prices), copyright Pydantic Services Inc.,
MIT licence, in the file LICENSE beside this one; ``index.json`` says which version. Made by
``python -m tokenguard.pricing.snapshot``; never edited by hand. To correct a price, add an override.
"""
