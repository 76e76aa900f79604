"""What scripts and notebooks rely on: these names, and no surprise among them."""

import inspect

import pytest

import msgsim

AT_MOST = 63

NAMES = """
ConfigurationSet Constant DAY DedicatedPool DeliveryPolicy Diurnal DmarcPolicy Email EmailTemplate
EmailValidation Empirical EventDestination Experiment Exponential FifoQueue Fixed Gamma GroupShares HOUR Join
LogNormal MINUTE Mixture MsgsimError Outage Outbox Pareto Publish PutSuppressedDestination Queue QuotaGrowth
Ramp Receiver Redrive RedriveAllow ReputationPolicy Retry Run Scenario SendEmail SendMessage SendingAccount
SendingIdentity SendingTenant Server Simulation Spike StandardQueue Steps Subscription Topic TopicFanout Trace
Traffic Uniform UniformGroups Weibull Workers ZipfGroups examples load plan simulate
""".split()  # noqa: SIM905 - 44 quoted names would fill the page
"""A name that goes is a breaking change; one that comes is written down in the changelog."""


def test_the_names_are_these() -> None:
    assert msgsim.__all__ == NAMES
    assert sorted(NAMES) == NAMES
    assert len(NAMES) <= AT_MOST


@pytest.mark.parametrize("name", [name for name in NAMES if not name.isupper()])
def test_a_name_explains_itself(name: str) -> None:
    thing = getattr(msgsim, name)
    assert inspect.isclass(thing) or inspect.isfunction(thing)
    lines = (inspect.getdoc(thing) or "").splitlines()
    assert lines, f"msgsim.{name} has no docstring"
    assert lines[0].endswith((".", "?"))
    assert not lines[0].startswith(f"{name}("), "written by attrs, not by a person"


@pytest.mark.parametrize("name", [name for name in NAMES if inspect.isclass(getattr(msgsim, name))])
def test_so_does_everything_that_can_be_called_on_it(name: str) -> None:
    for key, member in vars(getattr(msgsim, name)).items():
        if not key.startswith("_") and (inspect.isfunction(member) or isinstance(member, (property, staticmethod))):
            assert inspect.getdoc(getattr(getattr(msgsim, name), key)), f"msgsim.{name}.{key} has no docstring"


def test_there_is_no_other_name() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Cron'"):
        msgsim.Cron  # noqa: B018 - reading it is the test
