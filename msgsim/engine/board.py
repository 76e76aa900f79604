# Hot path: one `flush` per arrival that finds a waiting poll.
"""Whose turn it is at one instant."""

from typing import Protocol

from simpy import Environment

from msgsim.engine.clock import Timer


class Dispatcher(Protocol):
    """A station, as the board sees it."""

    changed: bool
    wake: Timer

    def dispatch(self, now: float) -> None:
        """Give what is receivable to the waiting polls."""
        ...


class Board:
    """The stations where something has become receivable at this instant.

    "At one instant: deadlines, then arrivals, then workers" (see `Turn`). So a poll that is woken gets its turn after
    everything else of the instant. Where nothing else is scheduled for it, and that is the rule, the turn comes at once
    and costs no event.

    Attributes:
        inside: whether one of the engine's own actions is running; it flushes the board at its end.
        early: whether deadlines of this instant are being met, and its arrivals are still to come.
        probing: whether a probe is looking, which changes nothing.
        quiet: whether all of this instant is over: between runs, and for probes.
        pauses: how often it has become quiet.
        pending: the stations.
    """

    __slots__ = ("_peek", "_quiet", "early", "inside", "pauses", "pending", "probing")

    def __init__(self, env: Environment) -> None:
        self._peek = env.peek
        self.inside = False
        self.early = False
        self.probing = False
        self.pauses = 0
        self._quiet = True
        self.pending: list[Dispatcher] = []

    @property
    def quiet(self) -> bool:
        """Whether all of this instant is over."""
        return self._quiet

    @quiet.setter
    def quiet(self, quiet: bool) -> None:
        if quiet and not self._quiet:
            self.pauses += 1
        self._quiet = quiet

    def flush(self, now: float) -> None:
        """Let the waiting polls look, or give them their turn later in this instant."""
        pending = self.pending
        alone = len(pending) == 1
        while pending:
            station = pending.pop()
            station.changed = False
            if alone and self._peek() > now:
                station.dispatch(now)
            else:
                station.wake.arm(now)
