"""msgsim: a discrete-event simulator of a message bus on virtual time.

`run = simulate(load("black-friday"))` is a run of a built-in example (`examples()` lists them): `print(run.summary())`,
`run.plot()`, `run.quantile("emails", "waiting_time", 0.99)`. A `Scenario` of your own has topics, queues, outboxes,
traffic and workers. `Simulation(scenario)` is the same live, step by step.

A queue alone is a `StandardQueue` or a `FifoQueue`; each call says what time it is:

>>> queue = StandardQueue(Queue(visibility_timeout=30), "orders")
>>> _ = queue.send("order 1", 0)
>>> [delivery] = queue.receive(1)
>>> queue.receive(2), queue.next_deadline()
([], 31.0)
>>> [again] = queue.receive(31)
>>> again.body, again.receive_count
('order 1', 2)
>>> queue.delete(again.receipt_handle, 40)

`Experiment(scenario)` makes many runs and says how sure one may be; `plan(scenario, find=..., such_that=...)` finds the
value that it takes.

`msgsim.service` has the requests of the services by their own names, `msgsim.testing` a kit for tests.
"""

from typing import TYPE_CHECKING

from msgsim.bus.authentication import DmarcPolicy
from msgsim.bus.configuration_set import ConfigurationSet
from msgsim.bus.email_templates import EmailTemplate
from msgsim.bus.email_validation import EmailValidation
from msgsim.bus.event_destinations import EventDestination
from msgsim.bus.fifo import FifoQueue
from msgsim.bus.mail import Email
from msgsim.bus.outbox import Outbox, SendingAccount
from msgsim.bus.queue import Queue, Redrive, RedriveAllow
from msgsim.bus.quota_growth import QuotaGrowth
from msgsim.bus.receivers import Receiver
from msgsim.bus.reputation import ReputationPolicy
from msgsim.bus.retries import DeliveryPolicy
from msgsim.bus.sending_identities import SendingIdentity
from msgsim.bus.sending_tenants import SendingTenant
from msgsim.bus.server import Outage, Server
from msgsim.bus.standard import StandardQueue
from msgsim.bus.topic import Subscription, Topic, TopicFanout
from msgsim.bus.warm_up import DedicatedPool
from msgsim.declare import DAY, HOUR, MINUTE
from msgsim.distributions import (
    Empirical,
    Exponential,
    Fixed,
    Gamma,
    LogNormal,
    Mixture,
    Pareto,
    Uniform,
    Weibull,
)
from msgsim.engine.actions import Join, Publish, PutSuppressedDestination, Retry, SendEmail, SendMessage
from msgsim.engine.curves import Constant, Diurnal, Ramp, Spike, Steps, Trace
from msgsim.engine.groups import GroupShares, UniformGroups, ZipfGroups
from msgsim.engine.traffic import Traffic
from msgsim.engine.workers import Workers
from msgsim.errors import MsgsimError
from msgsim.files import examples, load
from msgsim.run import Run
from msgsim.scenario import Scenario
from msgsim.simulation import Simulation, simulate

if TYPE_CHECKING:
    from msgsim.study.experiment import Experiment
    from msgsim.study.planner import plan

__all__ = [  # noqa: RUF022 - as sorted() sorts
    "ConfigurationSet",
    "Constant",
    "DAY",
    "DedicatedPool",
    "DeliveryPolicy",
    "Diurnal",
    "DmarcPolicy",
    "Email",
    "EmailTemplate",
    "EmailValidation",
    "Empirical",
    "EventDestination",
    "Experiment",
    "Exponential",
    "FifoQueue",
    "Fixed",
    "Gamma",
    "GroupShares",
    "HOUR",
    "Join",
    "LogNormal",
    "MINUTE",
    "Mixture",
    "MsgsimError",
    "Outage",
    "Outbox",
    "Pareto",
    "Publish",
    "PutSuppressedDestination",
    "Queue",
    "QuotaGrowth",
    "Ramp",
    "Receiver",
    "Redrive",
    "RedriveAllow",
    "ReputationPolicy",
    "Retry",
    "Run",
    "Scenario",
    "SendEmail",
    "SendMessage",
    "SendingAccount",
    "SendingIdentity",
    "SendingTenant",
    "Server",
    "Simulation",
    "Spike",
    "StandardQueue",
    "Steps",
    "Subscription",
    "Topic",
    "TopicFanout",
    "Trace",
    "Traffic",
    "Uniform",
    "UniformGroups",
    "Weibull",
    "Workers",
    "ZipfGroups",
    "examples",
    "load",
    "plan",
    "simulate",
]

_OF_STUDIES = {"Experiment": "msgsim.study.experiment", "plan": "msgsim.study.planner"}
"""Names that are loaded when they are asked for: a test of a queue needs none of it."""

if TYPE_CHECKING:
    __version__: str
else:

    def __getattr__(name: str) -> object:
        """`__version__` and what is for studies, looked up when it is asked for."""
        if name in _OF_STUDIES:
            from importlib import import_module  # noqa: PLC0415 - as above

            return getattr(import_module(_OF_STUDIES[name]), name)
        if name != "__version__":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - few ask

        try:
            return version(__name__)
        except PackageNotFoundError:  # a folder of sources that is not installed has none
            return "unknown (not installed)"
