"""list_prices and account_prices as they stand on a day, overlapping windows and all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from emulator.account.plan import ACCOUNT, CLOUD, Parameters, catalog, products

_LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)
_SCALE = Decimal(1).scaleb(-18)


@dataclass(frozen=True)
class _Window:
    start: datetime
    end: datetime | None
    usd: Decimal


def list_prices(parameters: Parameters) -> list[dict[str, Any]]:
    """The rows that the table holds at the end of the account's last day."""
    rows = []
    for sku, entry in catalog()["prices"].items():
        if entry.get("published", 0) >= parameters.days:
            continue
        changes = entry.get("changes", [])
        overlap = entry.get("overlap", 0)
        windows = list(_windows(parameters, entry, entry["usd"], changes, overlap))
        promotion = Decimal(entry["promotion"]) if "promotion" in entry else None
        for cloud, currency, factor in _markets(sku):
            rows += [_list_row(sku, cloud, currency, w, factor, promotion) for w in windows]
    return rows


def account_prices(parameters: Parameters) -> list[dict[str, Any]]:
    """Contract prices: a share of the first list price, for the SKUs that have a contract."""
    rows = []
    for sku, entry in catalog()["prices"].items():
        if "contract" not in entry:
            continue
        usd = Decimal(entry["usd"])
        first = str(usd * Decimal(entry["contract"]))
        changes = [[d, str(usd * Decimal(s))] for d, s in entry.get("contract_changes", [])]
        for window in _windows(parameters, entry, first, changes, overlap=5):
            for currency, factor in _currencies():
                pricing = {"default": _money(window.usd * factor)}
                rows.append(_row(sku, CLOUD, currency, window, pricing))
    return rows


def effective_usd(parameters: Parameters, sku: str, day: int) -> Decimal | None:
    """What a unit used on that day costs at list, promotions included; None when unpriced."""
    entry = catalog()["prices"].get(sku)
    if entry is None:
        return None
    price = Decimal(entry.get("promotion", entry["usd"]))
    for changed_on, usd in entry.get("changes", []):
        if changed_on <= day:
            price = Decimal(usd)
    return price


def price_changes() -> Iterator[tuple[str, int, Decimal, Decimal]]:
    """SKU, day, price before and after of every change of a list price."""
    for sku, entry in catalog()["prices"].items():
        before = Decimal(entry["usd"])
        for day, usd in entry.get("changes", []):
            yield sku, day, before, Decimal(usd)
            before = Decimal(usd)


def _windows(
    parameters: Parameters,
    entry: dict[str, Any],
    first: str,
    changes: list[list[Any]],
    overlap: int,
) -> Iterator[_Window]:
    """Windows whose start is visible by now; an old window runs on for ``overlap`` days."""
    start = parameters.moment(entry["begin"]) if "begin" in entry else _LONG_AGO
    price = Decimal(first)
    for day, usd in changes:
        if day >= parameters.days:
            break
        yield _Window(start, parameters.moment(day + overlap), price)
        start, price = parameters.moment(day), Decimal(usd)
    yield _Window(start, None, price)


def _markets(sku: str) -> Iterator[tuple[str, str, Decimal]]:
    """Cloud, currency and factor of every price that is published for a SKU."""
    for currency, factor in _currencies():
        yield CLOUD, currency, factor
        for cloud, entry in catalog()["other_clouds"].items():
            if sku in entry["skus"]:
                yield cloud, currency, factor * Decimal(entry["factor"])


def _currencies() -> Iterator[tuple[str, Decimal]]:
    yield "USD", Decimal(1)
    for currency, factor in catalog()["other_currencies"].items():
        yield currency, Decimal(factor)


def _list_row(
    sku: str,
    cloud: str,
    currency: str,
    window: _Window,
    factor: Decimal,
    promotion: Decimal | None,
) -> dict[str, Any]:
    promoted = _money(promotion * factor) if promotion is not None else None
    default = _money(window.usd * factor)
    pricing = {
        "default": default,
        "promotional": {"default": promoted},
        "effective_list": {"default": default if promoted is None else promoted},
    }
    return _row(sku, cloud, currency, window, pricing)


def _row(
    sku: str, cloud: str, currency: str, window: _Window, pricing: dict[str, Any]
) -> dict[str, Any]:
    units = {product.sku: product.unit for product in products()}
    return {
        "account_id": ACCOUNT,
        "price_start_time": window.start,
        "price_end_time": window.end,
        "sku_name": sku,
        "cloud": cloud,
        "currency_code": currency,
        "usage_unit": units[sku],
        "pricing": pricing,
    }


def _money(value: Decimal) -> Decimal:
    return value.quantize(_SCALE)
