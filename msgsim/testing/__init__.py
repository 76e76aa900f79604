"""A kit for testing code that uses queues, on virtual time and driven by Hypothesis: `pip install 'msgsim[testing]'`.

- `QueueMachine`, `FifoMachine`: put a consumer of your own behind a queue that redelivers, duplicates and dead-letters,
  and crash it in between; Hypothesis looks for the shortest story that breaks what you promise. `shares` measures how
  often the interesting states are reached.
- `queues`, `topics`, `traffic`, `workers`, `scenarios`, `fault_schedules`, `times_around`: strategies. They shrink to
  what is simplest: one queue, small numbers, defaults.
- `check_conservation`, `check_order`, `check_no_loss`, `check_receive_counts`: invariants of live queues, of deliveries
  and of runs.
- `given_scenarios`, `reporting`: a failing scenario is shown as a TOML file, with the command that runs it.
- `Bus`, `drive`: live queues, topics and outboxes on one virtual clock, and a consumer at work under scheduled faults.
  With pytest, the fixtures `bus` and `advance` are a new `Bus` and its clock; the plugin comes with msgsim.
"""

from msgsim.errors import MissingExtra

try:
    import hypothesis as _hypothesis  # noqa: F401 - asked for here, so that the error names the extra
except ImportError as missing:
    raise MissingExtra("Hypothesis", "testing") from missing

from msgsim.testing.bus import Bus
from msgsim.testing.driving import drive
from msgsim.testing.faults import Fault
from msgsim.testing.invariants import check_conservation, check_no_loss, check_order, check_receive_counts
from msgsim.testing.machines import FifoMachine, QueueMachine
from msgsim.testing.reporting import given_scenarios, reporting
from msgsim.testing.shares import shares
from msgsim.testing.strategies import (
    fault_schedules,
    queues,
    scenarios,
    times_around,
    topics,
    traffic,
    workers,
)
from msgsim.testing.workbench import Crash, Held

__all__ = [
    "Bus",
    "Crash",
    "Fault",
    "FifoMachine",
    "Held",
    "QueueMachine",
    "check_conservation",
    "check_no_loss",
    "check_order",
    "check_receive_counts",
    "drive",
    "fault_schedules",
    "given_scenarios",
    "queues",
    "reporting",
    "scenarios",
    "shares",
    "times_around",
    "topics",
    "traffic",
    "workers",
]
