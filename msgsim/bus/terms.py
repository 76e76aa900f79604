"""Terms: what holds for the emails that one place sends, worked out once and not per email."""

from collections.abc import Mapping, Sequence

from msgsim.bus.configuration_set import REQUIRE, ConfigurationSet
from msgsim.bus.reputation import Reputation
from msgsim.bus.sending_tenants import TenantStanding
from msgsim.bus.warm_up import PoolTraffic

Judge = Reputation | TenantStanding
"""Who is told of emails, bounces and complaints."""


class Terms:
    """What holds for an email beside its content.

    Args:
        name: of the configuration set; None for none.
        declared: that configuration set.
        max_delivery_time: of the outbox [s], for a set that says nothing.
        tags: message tags, on top of the email's own.
        tenant: that sends; None for none.
        pool: of dedicated addresses that it leaves by; None for shared ones.
        judges: whose rates it changes.

    Attributes:
        configuration_set: its name.
        requires_tls: whether receivers must encrypt (SES-CFG-1).
        suppressed_reasons: which entries of lists count; None leaves it to the account (SES-SUP-2).
        max_delivery_time, tags, tenant, pool, judges: as given.
        listed_by: name of the tenant whose own list is looked at; None for the account's (SES-SUP-4).
    """

    __slots__ = (
        "configuration_set",
        "judges",
        "listed_by",
        "max_delivery_time",
        "pool",
        "requires_tls",
        "suppressed_reasons",
        "tags",
        "tenant",
    )

    def __init__(
        self,
        name: str | None,
        declared: ConfigurationSet,
        max_delivery_time: float,
        *,
        tags: Mapping[str, str] | None = None,
        tenant: TenantStanding | None = None,
        pool: PoolTraffic | None = None,
        judges: Sequence[Judge] = (),
    ) -> None:
        self.configuration_set = name
        self.tags = tags
        self.tenant = tenant
        self.pool = pool
        self.judges = judges
        self.listed_by = None if tenant is None or tenant.tenant.suppression_scope == "ACCOUNT" else tenant.name
        self.requires_tls = declared.tls == REQUIRE
        self.suppressed_reasons = declared.suppressed_reasons
        given = declared.max_delivery_time
        self.max_delivery_time = max_delivery_time if given is None else given
