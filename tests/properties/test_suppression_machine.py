"""Suppression as a state machine, against a model that keeps every fact and decides anew each time."""

import random

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from msgsim.bus.mail import Email
from msgsim.bus.outbox import Outbox, SendingAccount
from msgsim.bus.receivers import Receiver

DAY = 86_400.0
GONE = ("a@gone.org", "B@gone.org")
THERE = ("a@x.org", "A@x.org", "b@angry.org")
ADDRESSES = st.sampled_from([*GONE, *THERE])
REASONS = st.sampled_from(["BOUNCE", "COMPLAINT"])
SWITCHES = st.sampled_from([(), ("BOUNCE",), ("COMPLAINT",), ("BOUNCE", "COMPLAINT")])


class Suppression(RuleBasedStateMachine):
    """Who is sent to: dead addresses bounce, those at angry.org complain at once, all else is delivered."""

    def __init__(self) -> None:
        super().__init__()
        receivers = [Receiver(domains=["gone.org"], unknown_users=1), Receiver(domains=["angry.org"], complainers=1)]
        self.account = SendingAccount(Outbox(receivers=receivers), rng=random.Random(1))
        self.now = 0.0
        self.switched: tuple[str, ...] = ("BOUNCE", "COMPLAINT")
        self.listed: dict[str, str] = {}
        self.bounces: dict[str, list[float]] = {address: [] for address in GONE}
        self.counts = {"delivered": 0, "hard_bounced": 0, "complained": 0, "suppressed": 0}

    @rule(days=st.sampled_from([0.0, 0.5, 1.0, 2.0, 4.0, 14.0]))
    def wait(self, days: float) -> None:
        self.now += days * DAY

    @rule(reasons=SWITCHES)
    def switch(self, reasons: tuple[str, ...]) -> None:
        self.account.suppressed_reasons = self.switched = reasons

    @rule(address=ADDRESSES, reason=REASONS)
    def put(self, address: str, reason: str) -> None:
        self.account.suppress(f"Somebody <{address}>", reason, self.now)
        self.listed[address] = reason

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        if self.listed:
            address = data.draw(st.sampled_from(sorted(self.listed)))
            self.account.unsuppress(address, self.now)
            del self.listed[address]

    @rule(address=ADDRESSES)
    def send(self, address: str) -> None:
        self.account.send_email(Email(address), self.now)
        if self._is_withheld(address):
            self.counts["suppressed"] += 1
        elif address in GONE:
            self.counts["hard_bounced"] += 1
            self.bounces[address].append(self.now)
            if "BOUNCE" in self.switched:
                self.listed[address] = "BOUNCE"
        else:
            self.counts["delivered"] += 1
            if address.endswith("@angry.org"):
                self.counts["complained"] += 1
                if "COMPLAINT" in self.switched:
                    self.listed[address] = "COMPLAINT"

    def _is_withheld(self, address: str) -> bool:
        if self.switched:
            return self.listed.get(address) in self.switched
        bounces = self.bounces.get(address, [])
        stay = min(14.0, 2.0 ** (len(bounces) - 1)) * DAY
        return bool(bounces) and self.now < bounces[-1] + stay

    @invariant()
    def agrees(self) -> None:
        account = self.account
        account.check()
        assert {name: getattr(account, name) for name in self.counts} == self.counts
        assert {entry.address: entry.reason for entry in account.suppressed_destinations(self.now)} == self.listed


TestSuppression = Suppression.TestCase
