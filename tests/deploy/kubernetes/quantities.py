"""Quantities, as manifests write them."""

from __future__ import annotations

_FACTORS = {"m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def number(quantity: str | float) -> float:
    """Such as "100m" or "64Mi"."""
    text = str(quantity)
    suffix = text.lstrip("0123456789.")
    return float(text.removesuffix(suffix)) * _FACTORS[suffix] if suffix else float(text)
