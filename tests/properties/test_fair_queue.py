"""A fair queue against its model: the same program on both gives the same messages in the same order."""

from math import inf
from typing import Any

import pytest
from hypothesis import event, given, note, settings
from hypothesis import strategies as st

import msgsim as ms
from tests.properties.fair_model import FairModel

TENANTS = st.sampled_from(["a", "b", "c", "d", None])
QUARTERS = st.integers(0, 4_000).map(lambda quarters: quarters / 4)

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), TENANTS, st.integers(1, 12)),
        st.tuples(st.just("send later"), TENANTS, st.sampled_from([0.25, 5.0])),
        st.tuples(st.just("receive"), st.integers(1, 10), st.integers(1, 5)),
        st.tuples(st.just("delete"), st.integers(0, 200), st.integers(1, 20)),
        st.tuples(st.just("change"), st.integers(0, 200), st.sampled_from([0.0, 0.0, 20.0])),
        st.tuples(st.just("wait"), st.sampled_from([0.25, 1.0, 8.0, 31.0]) | QUARTERS, st.none()),
    ),
    max_size=25,
)


class Twins:
    """A live queue and its model, which are told the same."""

    def __init__(self, window: float, most: int | None, timeout: float) -> None:
        redrive = None if most is None else ms.Redrive(to="dead", max_receive_count=most)
        self.live = ms.StandardQueue(
            ms.Queue(processing_window=window, visibility_timeout=timeout, redrive=redrive), "q"
        )
        self.model = FairModel(window, inf if most is None else most)
        self.now = 0.0
        self.held: list[tuple[int, str]] = []

    def tell(self, step: tuple[str, Any, Any]) -> None:
        what, one, other = step
        if what == "send":
            for _ in range(other):
                self.send(one, 0.0)
        elif what == "send later":
            self.send(one, other)
        elif what == "receive":
            for _ in range(other):
                self.receive(one)
        elif what == "wait":
            self.now += one
        elif self.flying:
            where = one % len(self.flying)
            if what == "delete":
                for number, handle in self.flying[where : where + other]:
                    self.live.delete(handle, self.now)
                    self.model.delete(number, self.now)
            else:
                number, handle = self.flying[where]
                self.live.change_visibility(handle, other, self.now)
                self.model.change(number, other, self.now)

    @property
    def flying(self) -> list[tuple[int, str]]:
        """The messages in flight with their latest handles."""
        latest = {number: handle for number, handle in self.held if self.model.kept[number].flying(self.now)}
        return [(number, handle) for number, handle in latest.items() if not self.model.kept[number].gone]

    def send(self, group: str | None, delay: float) -> None:
        self.live.send("x", self.now, group_id=group, delay=delay or None)
        self.model.send(group, self.now, delay)

    def receive(self, limit: int) -> None:
        got = self.live.receive(self.now, limit)
        expected = self.model.receive(self.now, limit, self.live.visibility_timeout)
        numbers = [delivery.message.number - self.live.base for delivery in got]
        assert numbers == expected, f"at {self.now} s"
        self.held += [(number, delivery.receipt_handle) for number, delivery in zip(numbers, got, strict=True)]

    def compare(self) -> None:
        self.live.check(self.now)
        self.model.settle(self.now)
        kept = self.model.kept.values()
        assert self.live.visible == sum(each.waiting(self.now) for each in kept)
        noisy = self.model.noisy(self.now) if self.live.fairness is not None else set()
        assert self.live.quiet(self.now).noisy_groups == len(noisy)
        said = {name for name, state in self.live.tenants.items() if state.noisy}
        assert said == {tenant for tenant in noisy if isinstance(tenant, str)}
        for name, state in self.live.tenants.items():
            own = self.model.of(name)
            assert state.visible == sum(each.waiting(self.now) for each in own)
            assert state.in_flight == self.model.in_flight(name, self.now)
            assert state.processing_time == pytest.approx(self.model.recent(own, self.now), abs=1e-9)
        assert self.live.dead_lettered == len(self.model.dead)
        if noisy:
            event("somebody is noisy")


@settings(deadline=None)
@given(
    st.sampled_from([8.0, 64.0, 1024.0]),
    st.sampled_from([None, 1, 4]),
    st.sampled_from([4.0, 30.0, 600.0]),
    st.integers(0, 4),
    STEPS,
)
def test_a_fair_queue_does_as_its_model(
    window: float, most: int | None, timeout: float, busy: int, steps: list[tuple[str, Any, Any]]
) -> None:
    twins = Twins(window, most, timeout)
    start = [("send", "a", 11 * busy), ("receive", 10, busy)]
    for step in start + steps:
        note(f"{twins.now} s: {step}")
        twins.tell(step)
        twins.compare()
