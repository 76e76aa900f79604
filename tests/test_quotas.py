"""The numbers of the services, and how they refuse."""

import math
from math import inf, nan, nextafter

import attrs
import pytest

from msgsim import quotas
from msgsim.errors import DeclarationError, InvalidParameterValue
from msgsim.quotas import Quota

ALL = {name: value for name, value in vars(quotas).items() if isinstance(value, Quota)}


@pytest.mark.rule("SQS-ATT-1")
@pytest.mark.parametrize(
    ("name", "low", "high", "default"),
    [
        ("DELAY", 0, 900, 0),
        ("VISIBILITY_TIMEOUT", 0, 43_200, 30),
        ("WAIT_TIME", 0, 20, 0),
        ("RETENTION", 60, 14 * 86_400, 4 * 86_400),
        ("MAX_MESSAGE_BYTES", 1_024, 2**20, 2**20),
        ("MAX_RECEIVE_COUNT", 1, 1_000, None),
        ("MAX_MESSAGES", 1, 10, 1),
        ("MAX_IN_FLIGHT", 1, inf, 120_000),
        ("MESSAGE_ATTRIBUTES", 0, 10, None),
        ("PURGE_INTERVAL", 60, 60, 60),
        ("ATTRIBUTE_LAG", 0, 60, 0),
        ("RETENTION_LAG", 0, 900, 0),
        ("REDRIVE_SOURCES", 1, 10, None),
        ("RECEIVES_BEFORE_BACK", 3, 3, 3),
        ("MOVE_RATE", 1, 500, 500),
        ("MOVE_TIME", 0, 129_600, 129_600),
        ("MOVE_TASKS", 1, 100, None),
        ("MOVE_LIST", 1, 10, 1),
        ("BATCH_ENTRIES", 1, 10, None),
        ("BATCH_BYTES", 1, 2**20, None),
        ("BILLED_CHUNK", 65_536, 65_536, 65_536),
        ("DELETION_LAG", 0, 60, 0),
        ("CREATION_LAG", 0, 1, 0),
        ("NAME_REUSE", 60, 60, 60),
        ("PAGE", 1, 1_000, 1_000),
        ("POLICY_BYTES", 1, 8_192, None),
        ("POLICY_STATEMENTS", 1, 20, None),
        ("POLICY_PRINCIPALS", 1, 50, None),
        ("POLICY_CONDITIONS", 0, 10, None),
        ("POLICY_ACTIONS", 1, 7, None),
        ("KMS_REUSE", 60, 86_400, 300),
        ("DEDUPLICATION_INTERVAL", 300, 300, 300),
        ("ATTEMPT_INTERVAL", 300, 300, 300),
        ("LOOK_AHEAD", 1, inf, 120_000),
        ("FIFO_CALLS", 1, 300, 300),
        ("PUBLISH_BYTES", 1, 2**18, None),
        ("FILTER_POLICY_KEYS", 1, 5, None),
        ("FILTER_COMBINATIONS", 1, 150, None),
        ("RECIPIENTS", 1, 50, None),
        ("QUOTA_WINDOW", 86_400, 86_400, 86_400),
        ("SANDBOX_SEND_RATE", 1, 1, 1),
        ("SANDBOX_24_HOUR_SEND", 200, 200, 200),
        ("MAX_DELIVERY_TIME", 300, 50_400, 50_400),
        ("MESSAGE_BYTES", 1, 40 * 2**20, None),
        ("MESSAGE_BYTES_V1", 1, 10 * 2**20, None),
        ("MESSAGE_PARTS", 1, 500, None),
        ("HEADERS", 0, 15, None),
        ("HEADER_NAME", 1, 126, None),
        ("HEADER_VALUE", 1, 995, None),
        ("HEADER_BYTES", 2, 996, None),
        ("TAG_CHARACTERS", 1, 256, None),
        ("TAG_CHARACTERS_V1", 1, 255, None),
        ("IDENTITIES", 0, 10_000, None),
        ("ADDRESS_LINK_TIME", 86_400, 86_400, 86_400),
        ("DNS_RECORD_TIME", 259_200, 259_200, 259_200),
        ("TEMPLATE_BYTES", 0, 512_000, None),
        ("EVENT_HEADER_BYTES", 0, 10_240, None),
    ],
)
def test_the_numbers(name: str, low: float, high: float, default: float | None) -> None:
    quota = ALL[name]
    assert (quota.low, quota.high, quota.default) == (low, high, default)


@pytest.mark.parametrize("quota", ALL.values(), ids=ALL)
def test_each_names_its_rule_and_its_default_is_allowed(quota: Quota) -> None:
    service, area, number = quota.rule.split("-")
    assert service in {"SQS", "FIFO", "SNS", "SES", "PRC"}
    assert area.isalpha()
    assert number.isdigit()
    assert quota.name
    assert quota.unit
    assert quota.default is None or quota.low <= quota.default <= quota.high


@pytest.mark.parametrize(
    ("name", "low", "high", "default"),
    [
        ("DELAY", 0, inf, 0),
        ("VISIBILITY_TIMEOUT", 0, inf, 30),
        ("WAIT_TIME", 0, inf, 0),
        ("RETENTION", 1, inf, 4 * 86_400),
        ("MAX_MESSAGE_BYTES", 1, inf, quotas.UNLIMITED),
        ("MAX_MESSAGES", 1, inf, 1),
        ("MAX_IN_FLIGHT", 1, inf, quotas.UNLIMITED),
        ("MESSAGE_ATTRIBUTES", 0, inf, None),
        ("PURGE_INTERVAL", 0, inf, 0),
        ("MOVE_RATE", 1, inf, 500),
        ("MOVE_TIME", 0, inf, inf),
        ("LOOK_AHEAD", 1, inf, quotas.UNLIMITED),
        ("PAGE", 1, 1_000, 1_000),
    ],
)
def test_the_relaxed_numbers(name: str, low: float, high: float, default: float | None) -> None:
    quota = ALL[name].under("relaxed")
    assert (quota.low, quota.high, quota.default) == (low, high, default)


@pytest.mark.parametrize("quota", ALL.values(), ids=ALL)
def test_the_relaxed_set_allows_whatever_the_published_one_does(quota: Quota) -> None:
    relaxed = quota.under("relaxed")
    assert (relaxed.name, relaxed.unit, relaxed.rule) == (quota.name, quota.unit, quota.rule)
    assert relaxed.low <= quota.low
    assert quota.high <= relaxed.high
    assert quota.under("published") is quota.under(None) is quota


class TestDemand:
    @pytest.mark.rule("SQS-RCV-1")
    def test_refuses_in_the_service_s_words(self) -> None:
        with pytest.raises(InvalidParameterValue) as raised:
            quotas.MAX_MESSAGES.demand(11)
        assert str(raised.value) == (
            "Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."
        )

    @pytest.mark.rule("SQS-RCV-2")
    def test_has_the_reason_of_its_own_where_there_is_one(self) -> None:
        with pytest.raises(InvalidParameterValue, match=r"Must be >= 0 and <= 20, if provided\.$"):
            quotas.WAIT_TIME.demand(21)

    def test_a_whole_number_is_one(self) -> None:
        quotas.MAX_MESSAGES.demand(3, integer=True)
        for value in (3.0, True, "3", None):
            with pytest.raises(InvalidParameterValue, match=f"Value {value} for"):
                quotas.MAX_MESSAGES.demand(value, integer=True)

    @pytest.mark.parametrize("value", ["1", None, False])
    def test_refuses_what_is_of_another_kind(self, value: object) -> None:
        with pytest.raises(InvalidParameterValue, match=f"Value {value} for"):
            quotas.WAIT_TIME.demand(value)

    @pytest.mark.parametrize("value", [nextafter(0, -inf), nextafter(20, inf), nan, inf])
    def test_refuses_what_is_just_outside_and_what_is_no_number(self, value: float) -> None:
        quotas.WAIT_TIME.demand(0)
        quotas.WAIT_TIME.demand(20)
        with pytest.raises(InvalidParameterValue):
            quotas.WAIT_TIME.demand(value)


class TestCheck:
    def test_takes_what_is_in_the_bounds(self) -> None:
        quotas.DELAY.check("x", 900)

    def test_refuses_with_path_bounds_unit_and_rule(self) -> None:
        with pytest.raises(DeclarationError) as raised:
            quotas.RETENTION.check("queues.a.retention", 59)
        assert str(raised.value) == "queues.a.retention: 59 is not allowed; allowed: 60 to 1209600 [s] (SQS-ATT-1)"


class TestField:
    def test_has_the_quota_s_default_or_another(self) -> None:
        @attrs.frozen
        class Thing:
            usual: float = quotas.DELAY.field()
            own: float = quotas.DELAY.field(7)
            none: float | None = quotas.DELAY.field(None, optional=True)
            count: int = quotas.MAX_MESSAGES.field(integer=True)

        thing = Thing()
        assert (thing.usual, thing.own, thing.none, thing.count) == (0, 7, None, 1)
        assert isinstance(thing.count, int)

    def test_is_required_where_the_service_has_no_default(self) -> None:
        @attrs.frozen
        class Thing:
            count: int = quotas.MAX_RECEIVE_COUNT.field(integer=True)

        with pytest.raises(TypeError, match="count"):
            Thing()
        assert Thing(1_000).count == 1_000

    def test_refuses_with_the_field_s_path(self) -> None:
        @attrs.frozen
        class Thing:
            delay: float = quotas.DELAY.field()

        for value in (-1, 901, math.nan):
            with pytest.raises(
                DeclarationError, match=r"Thing\.delay: .* is not allowed; allowed: 0 to 900 \[s\] \(SQS-DLY-1\)"
            ):
                Thing(value)
