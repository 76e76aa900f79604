"""How many messages all topics of an account publish per second."""

import pytest

from msgsim.bus.publish_quota import PublishQuota
from msgsim.errors import DeclarationError, Throttled


@pytest.mark.rule("SNS-QUO-1")
@pytest.mark.parametrize(
    ("region", "standard", "fifo"),
    [
        ("us-east-1", 30_000, 30_000),
        ("us-west-2", 9_000, 9_000),
        ("eu-west-1", 9_000, 9_000),
        ("eu-central-1", 1_500, 3_000),
        ("ap-southeast-2", 1_500, 3_000),
        ("sa-east-1", 300, 3_000),
    ],
)
def test_a_region_has_a_limit(region: str, standard: int, fifo: int) -> None:
    assert PublishQuota(region).limit == standard
    assert PublishQuota(region, fifo=True).limit == fifo
    assert PublishQuota(region, limit=7).limit == 7


@pytest.mark.rule("SNS-QUO-1")
@pytest.mark.rule("SNS-QUO-3")
def test_messages_of_any_second_count_and_refused_ones_do_not() -> None:
    quota = PublishQuota(limit=10)
    quota.charge(0.0, 4)
    quota.charge(0.0, 2)
    quota.charge(0.5, 3)
    with pytest.raises(Throttled, match="Rate exceeded"):
        quota.charge(0.75, 2)
    quota.charge(0.75)
    with pytest.raises(Throttled):
        quota.charge(0.999)
    quota.charge(1.0, 6)
    with pytest.raises(Throttled):
        quota.charge(1.499, 1)
    quota.charge(1.5, 3)
    assert quota.throttled == 4


@pytest.mark.rule("SNS-QUO-1")
def test_more_than_a_second_allows_is_never_accepted() -> None:
    quota = PublishQuota(limit=3)
    with pytest.raises(Throttled):
        quota.charge(0, 4)
    quota.charge(0, 3)


@pytest.mark.parametrize("limit", [0, -1, 1.5, float("nan"), True, "7"])
def test_a_limit_is_a_whole_number_of_messages(limit: object) -> None:
    with pytest.raises(DeclarationError, match=r"PublishQuota\.limit"):
        PublishQuota(limit=limit)  # type: ignore[arg-type]
