"""Tariffs: what one unit of what is billed costs, once it is known what a month has of all."""

from collections.abc import Iterable, Mapping

from msgsim.study.billed import Item
from msgsim.study.prices import MILLION, THOUSAND, Prices, average

FREE = {
    "standard": "requests",
    "fifo": "requests",
    "publish": "publishes",
    "fifo publish": "publishes",
    "recipient": "recipients",
}
"""What is free in part, and by which count."""


class Tariffs:
    """The prices of a month.

    The free tier makes all of its kind cheaper by the same share, as it is the account's and not one queue's; so do
    the tiers of SQS.

    Args:
        prices: a price list.
        monthly: units by tariff, in the month.
        free_tier: whether it is taken off.
    """

    def __init__(self, prices: Prices, monthly: Mapping[str, float], *, free_tier: bool) -> None:
        sns, ses = prices.sns, prices.ses
        million = {
            "standard": average(prices.sqs.standard, monthly.get("standard", 0.0)),
            "fifo": average(prices.sqs.fifo, monthly.get("fifo", 0.0)),
            "fair": prices.sqs.fair_per_million,
            "topic delivery": prices.sqs.topic_delivery_per_million,
            "publish": sns.publish_per_million,
            "fifo publish": sns.fifo_publish_per_million,
            "fifo delivery": sns.fifo_delivery_per_million,
            **{f"delivery {protocol}": price for protocol, price in sns.delivery_per_million.items()},
        }
        self._sns = sns
        self._prices = {name: price / MILLION for name, price in million.items()} | {
            "fifo publish GiB": sns.fifo_publish_per_gb,
            "fifo delivery GiB": sns.fifo_delivery_per_gb,
            "recipient": ses.per_thousand / THOUSAND,
            "vdm": ses.vdm_per_thousand / THOUSAND,
            "attachment GiB": ses.attachments_per_gb,
            "dedicated IP": ses.dedicated_ip_per_month,
            "worker hour": prices.worker_hour,
        }
        free = {
            "requests": prices.sqs.free_requests,
            "publishes": sns.free_publishes,
            "recipients": ses.free_recipients,
        }
        self._charged = {what: 1.0 - _share(free[what], monthly, what) if free_tier else 1.0 for what in free}

    def price(self, item: Item) -> float:
        """Of one of its units."""
        if item.tariff.startswith("sms "):
            return self._sns.of_number(item.tariff.removeprefix("sms "))
        price = self._prices[item.tariff]
        return price * self._charged[FREE[item.tariff]] if item.tariff in FREE else price


def units(items: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Units by tariff, added up."""
    found: dict[str, float] = {}
    for tariff, number in items:
        found[tariff] = found.get(tariff, 0.0) + number
    return found


def _share(free: float, monthly: Mapping[str, float], what: str) -> float:
    """How much of a month is free."""
    billed = sum(monthly.get(tariff, 0.0) for tariff, counted in FREE.items() if counted == what)
    return min(1.0, free / billed) if billed else 1.0
