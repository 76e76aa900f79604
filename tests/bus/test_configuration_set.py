"""Configuration sets: what they bundle, and what they refuse."""

from typing import Any

import pytest

from msgsim.bus.configuration_set import ConfigurationSet, check_sets
from msgsim.bus.event_destinations import EventDestination
from msgsim.errors import DeclarationError


@pytest.mark.rule("SES-CFG-1")
def test_unless_it_says_otherwise_a_set_changes_nothing() -> None:
    usual = ConfigurationSet()
    assert (usual.sending, usual.tls, usual.max_delivery_time, usual.suppressed_reasons) == (
        True,
        "OPTIONAL",
        None,
        None,
    )
    assert (usual.reputation_metrics, usual.pool, usual.events) == (False, None, ())


@pytest.mark.rule("SES-CFG-1")
@pytest.mark.parametrize("time", [300, 50_400])
def test_the_bounds_of_the_delivery_time_are_allowed(time: float) -> None:
    assert ConfigurationSet(max_delivery_time=time).max_delivery_time == time


@pytest.mark.rule("SES-CFG-2")
def test_ten_destinations_at_most() -> None:
    each = EventDestination(topic="t")
    assert len(ConfigurationSet(events=[each] * 10).events) == 10
    with pytest.raises(DeclarationError, match=r"events: 11 destinations are too many; allowed: 10 \(SES-CFG-2\)"):
        ConfigurationSet(events=[each] * 11)


@pytest.mark.rule("SES-CFG-1")
@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"tls": "require"}, r"ConfigurationSet\.tls: 'require' is not allowed; allowed: OPTIONAL, REQUIRE"),
        ({"max_delivery_time": 299}, r"max_delivery_time: 299\.0 is not allowed; allowed: 300 to 50400 \[s\]"),
        ({"suppressed_reasons": "BOUNCE"}, r"suppressed_reasons: 'BOUNCE' is not a list of reasons"),
        ({"suppressed_reasons": ["BOUNCE", 1]}, r"suppressed_reasons\.1: 1 is not allowed; allowed: BOUNCE, COMPLAINT"),
        ({"suppressed_reasons": ["BOUNCE"] * 2}, r"suppressed_reasons: \['BOUNCE', 'BOUNCE'\] names a reason twice"),
        ({"pool": ""}, r"pool: must not be empty"),
        ({"events": [1]}, r"events\.0: 1 is not an EventDestination"),
    ],
)
def test_sets_that_cannot_be(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(DeclarationError, match=problem):
        ConfigurationSet(**settings)


@pytest.mark.rule("SES-SUP-2")
def test_reasons_are_none_at_all_or_some() -> None:
    assert ConfigurationSet(suppressed_reasons=[]).suppressed_reasons == ()
    assert ConfigurationSet(suppressed_reasons=["COMPLAINT"]).suppressed_reasons == ("COMPLAINT",)


@pytest.mark.rule("SES-QUO-8")
def test_names_have_64_characters_at_most() -> None:
    check_sets("Outbox.sets", {"a" * 64: ConfigurationSet(), "A_b-9": ConfigurationSet()})
    for name in ("a" * 65, "", "a.b", "ä", 5):
        with pytest.raises(DeclarationError, match=r"Outbox\.sets: .* is not a name; allowed: 1 to 64 letters"):
            check_sets("Outbox.sets", {name: ConfigurationSet()})


def test_a_table_holds_sets() -> None:
    with pytest.raises(DeclarationError, match=r"Outbox\.sets: \[\] is not a table"):
        check_sets("Outbox.sets", [])
    with pytest.raises(DeclarationError, match=r"Outbox\.sets\.a: 1 is not a ConfigurationSet"):
        check_sets("Outbox.sets", {"a": 1})
