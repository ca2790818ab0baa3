"""The demo behind ``make demo``: guarded calls of two teams, what they cost, and proof that it adds up."""
