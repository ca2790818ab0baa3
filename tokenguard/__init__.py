"""Keep LLM bills predictable: one line around an openai or anthropic client."""

__version__ = "0.1.0"
