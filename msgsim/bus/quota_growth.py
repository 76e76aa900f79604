"""Growth of quotas: a sender who is healthy and uses them is given more."""

from math import floor, inf, nextafter

import attrs

from msgsim.declare import DAY, number


@attrs.frozen(kw_only=True)
class QuotaGrowth:
    """How the quotas of an outbox grow by themselves. None of it is published but that they do (SES-QUO-6).

    Args:
        factor: what both quotas are multiplied by.
        use: of the 24-hour quota, the share that must have been used in the latest 24 hours.
        every: from one look at it to the next, at times that are multiples of it [s].
        max_24_hour_send: the 24-hour quota that it does not go beyond [recipients]; None for no such.
        max_send_rate: the same for the rate [recipients/s].

    Raises:
        DeclarationError: a value is not allowed; says which are.
    """

    factor: float = number(2.0, low=1, above=True, rule="SES-QUO-6")
    use: float = number(0.5, high=1, above=True, unit="of the quota", rule="SES-QUO-6")
    every: float = number(DAY, low=1, unit="s", rule="SES-QUO-6")
    max_24_hour_send: int | None = number(None, low=1, unit="recipients", rule="SES-QUO-6", integer=True, optional=True)
    max_send_rate: float | None = number(None, above=True, unit="recipients/s", rule="SES-QUO-6", optional=True)

    def grown(self, quota: float, rate: float | None) -> tuple[float, float | None]:
        """The quotas that follow on these; neither ever falls.

        Args:
            quota: for 24 hours [recipients].
            rate: [recipients/s]; None for no limit.
        """
        most = inf if self.max_24_hour_send is None else self.max_24_hour_send
        more = max(quota, min(most, max(quota + 1, floor(quota * self.factor))))
        if rate is None:
            return more, None
        fastest = inf if self.max_send_rate is None else self.max_send_rate
        return more, max(rate, min(fastest, rate * self.factor))

    def next_look(self, at: float, now: float | None = None) -> float:
        """The first look after the one at `at` [s], and after `now` if that is given: nothing was used until then."""
        following = at + self.every if now is None else self.every * (max(at, now) // self.every + 1.0)
        return max(following, nextafter(at if now is None else max(at, now), inf))
