"""The metrics of topics, by the names that CloudWatch has for them (CW-SNS)."""

import pytest

import msgsim as ms

WEB = "https://example.com/hook"
DOWN = ms.Server(failures={"503": 1})


@pytest.fixture(scope="module")
def run() -> ms.Run:
    """Ten publishes to a web server and a function that are down, and to queues that filter."""
    kind = {"kind": ["b"]}
    subscriptions = [
        ms.Subscription(endpoint=WEB, protocol="https", server=DOWN, redrive="dead"),
        ms.Subscription(endpoint="mail@example.com", protocol="email", failure_rate=1),
        ms.Subscription(endpoint="all"),
        ms.Subscription(endpoint="by-attributes", filter_policy=kind),
        ms.Subscription(endpoint="by-body", filter_policy=kind, filter_scope="MessageBody"),
    ]
    scenario = ms.Scenario(
        topics={"t": ms.Topic(subscriptions=subscriptions)},
        queues={name: ms.Queue() for name in ("dead", "all", "by-attributes", "by-body")},
        traffic={"c": ms.Traffic(to="t", rate=1, process="regular", body="no object", attributes={"kind": "a"})},
    )
    return ms.simulate(scenario, until=1000, seed=1, probe=500)


@pytest.mark.rule("CW-SNS")
@pytest.mark.parametrize(
    ("metric", "share"),
    [
        ("NumberOfMessagesPublished", 1),
        ("NumberOfNotificationsDelivered", 1),
        ("NumberOfNotificationsFilteredOut", 2),
        ("NumberOfNotificationsFilteredOut-MessageAttributes", 1),
        ("NumberOfNotificationsFilteredOut-MessageBody", 0),
        ("NumberOfNotificationsFilteredOut-NoMessageAttributes", 0),
        ("NumberOfNotificationsFilteredOut-InvalidAttributes", 0),
        ("NumberOfNotificationsFilteredOut-InvalidMessageBody", 1),
        ("NumberOfNotificationsFailedToRedriveToDlq", 0),
    ],
)
def test_topics_have_metrics_by_the_names_of_cloudwatch(run: ms.Run, metric: str, share: int) -> None:
    assert run.total("t", metric) == share * run.total("c", "arrivals")


@pytest.mark.rule("CW-SNS")
def test_each_failed_attempt_of_http_is_a_failed_notification(run: ms.Run) -> None:
    failed = "NumberOfNotificationsFailed"
    web, mail = f"t/{WEB}", "t/mail@example.com"
    assert run.total(web, failed) == run.total(web, "failed_attempts") > 3 * run.total(web, "delivery_failed") > 0
    assert run.total(mail, failed) == run.total(mail, "delivery_failed") == run.total("c", "arrivals")
    assert run.total("t", failed) == run.total(web, failed) + run.total(mail, failed)
    assert run.total(web, "NumberOfNotificationsRedrivenToDlq") == run.total("dead", "sent") > 0
