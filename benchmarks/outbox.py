"""What an email costs an outbox under quota: counted emails, and those whose addresses are looked at.

`python benchmarks/outbox.py` sends 10,000,000 emails, 100 per second and so for a day and more, through a
`SendingAccount` that keeps no records, and a hundredth of that for each kind of an outbox that looks at addresses. It
prints the CPU time per email, and asserts that every email is accounted for, that the quota refuses what is beyond it,
and that the account remembers the sends of 24 hours by second, which is 86,400 entries at most.
"""

import random
import sys
from argparse import ArgumentParser
from time import process_time

from msgsim import Email, EmailValidation, Outbox, Receiver, ReputationPolicy, SendingAccount

EMAILS = 10_000_000
LOOKING_SHARE = 0.01
RATE = 100
"""Emails per second."""

DAY_SECONDS = 86_400
QUOTA = RATE * DAY_SECONDS * 9 // 10
"""Of 24 hours: less than what is asked for."""

RECEIVER = Receiver(unknown_users=0.02, full_mailboxes=0.01, greylisting=300, complainers=0.001)
KINDS: dict[str, dict[str, object]] = {
    "counted": {},
    "chance": {"bounce_rate": 0.02, "complaint_rate": 0.001, "delivery_delay": 1},
    "addresses": {"suppressed_reasons": ()},
    "receivers": {"receivers": [RECEIVER]},
    "reputation": {"receivers": [RECEIVER], "reputation": ReputationPolicy(bounce_pause=1, complaint_pause=1)},
    "validation": {"receivers": [RECEIVER], "validation": EmailValidation()},
}
"""What is beside the quotas."""


class Letter:
    """An email that is rendered when somebody looks, as in scenarios: only whom it goes to is asked for."""

    def render(self, cause: object, now: float) -> Email:
        """The email."""
        return Email(*self.addresses(cause, now), subject="Hello", body="Text")

    def addresses(self, cause: object, now: float) -> tuple[str, ...]:  # noqa: ARG002 - whatever the time is
        """Whom it goes to."""
        return (f"customer-{cause}@example.com",)


def send(emails: int, kind: str) -> SendingAccount:
    """Send so many emails to as many addresses."""
    quotas = {"max_send_rate": RATE, "burst": RATE, "max_24_hour_send": QUOTA, "records": False}
    account = SendingAccount(Outbox(**quotas, **KINDS[kind]), rng=random.Random(1))  # type: ignore[arg-type]
    letter = Letter()
    try_send = account.try_send
    for number in range(emails):
        now = number / RATE
        try_send(1, now, now, number, letter, number)
    return account


def expected(emails: int) -> int:
    """How many of so many emails the quota lets pass."""
    days, rest = divmod(emails, RATE * DAY_SECONDS)
    return days * QUOTA + min(rest, QUOTA)


def check(account: SendingAccount, emails: int) -> None:
    """Hold an account against what it must have done."""
    accepted = expected(emails)
    assert account.accepted == account.recipients_accepted == accepted, (account.accepted, accepted)
    assert (account.over_quota, account.over_rate, account.rejected) == (emails - accepted, 0, 0)
    seconds = len(account._past)  # noqa: SLF001 - what its memory is bounded by
    assert seconds <= DAY_SECONDS, seconds
    account.check()
    account.advance((emails - 1) / RATE + DAY_SECONDS)
    assert account.pending == 0, account.pending
    account.check()


def main() -> None:
    parser = ArgumentParser(description="Measure what an email costs an outbox.")
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of emails")
    parser.add_argument("--only", choices=KINDS, help="one kind, of which it prints the number of emails alone")
    options = parser.parse_args()
    for kind in [options.only] if options.only else KINDS:
        emails = round(EMAILS * options.scale * (1.0 if kind == "counted" else LOOKING_SHARE))
        began = process_time()
        account = send(emails, kind)
        took = process_time() - began
        check(account, emails)
        if options.only:
            print(emails)
        else:
            print(f"{kind:12}{emails:12,} emails {took:8.2f} s {1e6 * took / emails:8.2f} us each", flush=True)


if __name__ == "__main__":
    sys.exit(main())
