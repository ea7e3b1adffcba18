"""Money: decimal US dollars, exact; unknown is `None` and never 0."""

from __future__ import annotations

from decimal import Decimal


def usd(value: str | int | float | Decimal) -> Decimal:
    """Dollars from a number as a person wrote it (a float by its shortest text, so 0.1 is 0.1)."""
    return value if isinstance(value, Decimal) else Decimal(str(value))


def text(value: Decimal | None) -> str | None:
    """A plain decimal string without exponent or trailing zeros, for results files; unknown stays None."""
    if value is None:
        return None
    plain = format(value, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def total(values: list[Decimal | None]) -> Decimal | None:
    """The sum, unknown if any part is."""
    result = Decimal(0)
    for value in values:
        if value is None:
            return None
        result += value
    return result


def add(amounts: dict[str, Decimal | None], name: str, usd: Decimal | None) -> None:
    """Add to the amount of that name; unknown if any part is."""
    amounts[name] = total([amounts.get(name, Decimal(0)), usd])
