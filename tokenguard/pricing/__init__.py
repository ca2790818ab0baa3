"""Prices: what a usage costs, exactly, at the public price and at your own."""

from tokenguard.pricing.book import PriceBook
from tokenguard.pricing.money import format_usd, nano, parse_usd
from tokenguard.pricing.overrides import PriceOverride

__all__ = ["PriceBook", "PriceOverride", "format_usd", "nano", "parse_usd"]
