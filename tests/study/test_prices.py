"""Prices: the list that is shipped, one's own, and what is wrong with it."""

import math
from datetime import date
from pathlib import Path

import pytest

from msgsim.errors import DeclarationError
from msgsim.study.prices import Prices, Tier, average, load_prices, shipped_text


@pytest.mark.rule("PRC-SQS-1")
def test_requests_to_queues_have_a_price_by_type_and_by_the_month() -> None:
    prices = load_prices()
    billion = 1e9
    assert [(tier.up_to, tier.per_million) for tier in prices.sqs.standard] == [
        (100 * billion, 0.40),
        (200 * billion, 0.30),
        (math.inf, 0.24),
    ]
    assert (prices.sqs.fifo[0].per_million, prices.sqs.fair_per_million) == (0.50, 0.10)
    assert prices.sqs.free_requests == 1_000_000
    assert average(prices.sqs.standard, 1.0) == average(prices.sqs.standard, 100 * billion) == 0.40
    assert average(prices.sqs.standard, 400 * billion) == pytest.approx((40 + 30 + 48) / 400)


@pytest.mark.rule("PRC-SNS-1")
def test_publishes_and_deliveries_have_prices_by_protocol() -> None:
    sns = load_prices().sns
    assert (sns.publish_per_million, sns.fifo_publish_per_million) == (0.50, 0.30)
    deliveries = sns.delivery_per_million
    assert (deliveries["sqs"], deliveries["lambda"], deliveries["https"]) == (0, 0, 0.60)
    assert (deliveries["email"], deliveries["application"], deliveries["firehose"]) == (20.0, 0.50, 0.19)


@pytest.mark.rule("PRC-SES-1")
def test_recipients_and_attachments_have_prices() -> None:
    ses = load_prices().ses
    assert 5_400 / 1_000 * ses.per_thousand == pytest.approx(0.54)
    assert round(3.70 * ses.attachments_per_gb, 2) == 0.44
    assert (ses.dedicated_ip_per_month, ses.vdm_per_thousand, ses.free_recipients) == (24.95, 0.07, 3_000)


def test_the_shipped_list_is_dated() -> None:
    prices = load_prices()
    assert date.fromisoformat(prices.date) < date(2100, 1, 1)
    assert (prices.currency, prices.region) == ("USD", "us-east-1")


def test_tiers_meet_at_their_bounds() -> None:
    tiers = [Tier(up_to=100, per_million=4), Tier(up_to=200, per_million=2), Tier(per_million=1)]
    costs = [number * average(tiers, number) for number in (1, 100, 101, 200, 201)]
    assert costs == pytest.approx([4, 400, 402, 600, 601])
    assert average(tiers, 0) == 4


def test_a_number_has_the_price_of_the_longest_beginning_that_fits(tmp_path: Path) -> None:
    sns = _changed(tmp_path, "default = 0.00645", 'default = 9\n"+1" = 1\n"+1787" = 2').sns
    assert [sns.of_number(number) for number in ("+49123", "+12025550123", "+17875550123")] == [9, 1, 2]


def test_what_a_worker_costs_may_be_left_out(tmp_path: Path) -> None:
    assert load_prices().worker_hour == 0
    assert _changed(tmp_path, "worker_hour = 0.00", "worker_hour = 0.05").worker_hour == 0.05
    assert _changed(tmp_path, "worker_hour = 0.00", "").worker_hour == 0
    with pytest.raises(DeclarationError, match=r"worker_hour: -1 is not allowed"):
        _changed(tmp_path, "worker_hour = 0.00", "worker_hour = -1")


def test_a_list_of_ones_own_replaces_all(tmp_path: Path) -> None:
    prices = _changed(tmp_path, 'currency = "USD"', 'currency = "EUR"')
    assert prices.currency == "EUR"
    assert prices.sqs == load_prices().sqs


def _changed(folder: Path, old: str, new: str) -> Prices:
    source = shipped_text()
    assert old in source
    path = folder / "mine.toml"
    path.write_text(source.replace(old, new, 1))
    return load_prices(path)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("fair_per_million = 0.10", "", r"mine\.toml: sqs\.fair_per_million: is missing, and has no default"),
        ("fair_per_million", "fair_per_milion", r"no field named 'fair_per_milion'; did you mean 'fair_per_million'\?"),
        (
            "fair_per_million = 0.10",
            "fair_per_million = -1",
            r"sqs\.fair_per_million: -1(\.0)? is not allowed; allowed: 0",
        ),
        ("http = 0.60", 'http = "0.60"', r"sns\.delivery_per_million\.http: '0\.60' is not a number"),
        ("http = 0.60\n", "", r"sns\.delivery_per_million\.http: is missing"),
        ("http = 0.60", "htp = 0.60", r"delivery_per_million\.htp: is no such protocol; allowed: application, "),
        ("default = 0.00645", '"+1" = 1', r"sns\.sms\.default: is missing: the price for all other numbers"),
        ("default = 0.00645", 'default = 1\n"49" = 1', r"sns\.sms\.49: is not the beginning of a number"),
        (
            'date = "2026-06-13"',
            "date = 2026-06-13",
            r"date: datetime\.date\(2026, 6, 13\) is not a date; allowed: a text",
        ),
        ('date = "2026-06-13"', 'date = "soon"', r"date: 'soon' is not a date"),
        ('currency = "USD"', 'currency = ""', r"currency: must not be empty"),
        (
            "up_to = 100_000_000_000",
            "up_to = 300_000_000_000",
            r"standard\.1\.up_to: 2e\+11 is not above the 3e\+11 of",
        ),
        (
            "up_to = 100_000_000_000",
            "up_to = 0",
            r"up_to: 0(\.0)? is not allowed; allowed: more than 0 \[requests/month\]",
        ),
        ("    { per_million = 0.24 },\n", "", r"standard\.1\.up_to: must be left out: the last tier has no end"),
        ("[sns.sms]", "[sns.smss]", r"sns\.smss: no field named 'smss'; did you mean 'sms'"),
        ("[sqs]", "[sqs", r"mine\.toml: not TOML"),
    ],
)
def test_a_list_that_cannot_be_says_where(tmp_path: Path, old: str, new: str, problem: str) -> None:
    with pytest.raises(DeclarationError, match=problem):
        _changed(tmp_path, old, new)


def test_tables_that_are_none_are_refused(tmp_path: Path) -> None:
    source = shipped_text()
    path = tmp_path / "mine.toml"
    begin, end = source.index("[sns.delivery_per_million]"), source.index("[ses]")
    tables = "delivery_per_million = 1\nsms = 2\n"
    path.write_text(source[:begin] + tables + source[end:].replace("[ses]", "[ses]"))
    with pytest.raises(
        DeclarationError, match=r"delivery_per_million: 1 is not a table of prices\nsns\.sms: 2 is not a"
    ):
        load_prices(path)
    begin, end = source.index("standard = ["), source.index("fifo = [")
    path.write_text(f"{source[:begin]}standard = []\n{source[end:]}")
    with pytest.raises(DeclarationError, match=r"sqs\.standard: has no tier; allowed: one or more"):
        load_prices(path)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match=r"none\.toml: cannot be read: No such file"):
        load_prices(tmp_path / "none.toml")
    with pytest.raises(DeclarationError, match="cannot be read: Is a directory"):
        load_prices(str(tmp_path))
    with pytest.raises(DeclarationError, match=r"^prices: 3 is neither a price list nor the path of one"):
        load_prices(3)  # type: ignore[arg-type]
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(DeclarationError, match=r"binary\.toml: cannot be read: 'utf-8' codec"):
        load_prices(binary)
    binary.write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(DeclarationError, match="holds more than 1,048,576 bytes: this is no price list"):
        load_prices(binary)
