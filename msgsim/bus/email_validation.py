"""Validation: the service scores addresses before it sends, and leaves out those that are not likely to be there."""

import attrs

from msgsim.declare import choice, number

MANAGED, HIGH, MEDIUM = "MANAGED", "HIGH", "MEDIUM"


@attrs.frozen(kw_only=True)
class EmailValidation:
    """Which addresses an outbox does not send to for their score, which is between 0 and 1 (SES-SUP-6).

    The score is a property of the address, the same at each email: that of a mailbox that is there lies between
    1 - `doubt` and 1, that of one that is not between 0 and `doubt`, evenly. So with a doubt of more than a half some
    are taken for the other. How the service scores is unpublished.

    Args:
        threshold: "HIGH" is sure to leave out what does not exist and loses some that do; "MEDIUM" is sure to send to
            those; "MANAGED" is what the service thinks best.
        doubt: how far scores stray.
        high, medium, managed: the least score that each threshold sends to.

    Raises:
        DeclarationError: a value is not allowed; says which are.
    """

    threshold: str = choice(MANAGED, (MANAGED, HIGH, MEDIUM), "SES-SUP-6")
    doubt: float = number(0.5, high=1, rule="SES-SUP-6")
    high: float = number(0.6, high=1, rule="SES-SUP-6")
    medium: float = number(0.4, high=1, rule="SES-SUP-6")
    managed: float = number(0.5, high=1, rule="SES-SUP-6")

    @property
    def least(self) -> float:
        """The least score that is sent to."""
        return {MANAGED: self.managed, HIGH: self.high, MEDIUM: self.medium}[self.threshold]

    def sends_to(self, exists: bool, chance: float) -> bool:
        """Whether an address is sent to.

        Args:
            exists: whether its mailbox is there.
            chance: a number of that address, in [0, 1).
        """
        stray = self.doubt * chance
        return (1.0 - stray if exists else stray) >= self.least
