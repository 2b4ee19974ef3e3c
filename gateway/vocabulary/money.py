"""P: money in whole nano-dollars (1e-9 US$): prices and amounts come as decimal text and are never floats."""

from __future__ import annotations

from functools import lru_cache

NANOS_PER_DOLLAR = 1_000_000_000
_DIGITS = 9


def nanos(dollars_each: str, count: int = 1) -> int:
    """Nano-dollars that `count` things cost, rounded half up once, at the end.

    `dollars_each` is a plain decimal number, such as a model's price a token. `count` is not negative.

    Raises:
        ValueError: `dollars_each` is not such a number.
    """
    numerator, denominator = _fraction(dollars_each)
    return (2 * numerator * count + denominator) // (2 * denominator)


def dollars(amount: int) -> str:
    """An amount of nano-dollars as a decimal number of dollars, exactly, without zeros that say nothing."""
    whole, part = divmod(abs(amount), NANOS_PER_DOLLAR)
    fraction = f"{part:0{_DIGITS}d}".rstrip("0")
    return f"{'-' if amount < 0 else ''}{whole}{'.' if fraction else ''}{fraction}"


@lru_cache(maxsize=1_024)
def _fraction(text: str) -> tuple[int, int]:
    """Nano-dollars as numerator and denominator."""
    whole, _, part = text.partition(".")
    if not (whole + part).isdecimal():
        raise ValueError("not a plain decimal number")
    return int(whole + part) * NANOS_PER_DOLLAR, 10 ** len(part)
