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
        operation: by which its emails are sent, as events tell.

    Attributes:
        configuration_set: its name.
        requires_tls: whether receivers must encrypt (SES-CFG-1).
        suppressed_reasons: which entries of lists count, by the set or else the tenant; None leaves it to the account
            (SES-SUP-2, SES-SUP-4).
        max_delivery_time, tags, tenant, pool, judges, operation: as given.
        listed_by: name of the tenant whose own list is looked at; None for the account's (SES-SUP-4).
    """

    __slots__ = (
        "configuration_set",
        "judges",
        "listed_by",
        "max_delivery_time",
        "operation",
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
        operation: str = "SendEmail",
    ) -> None:
        self.configuration_set = name
        self.tags = tags
        self.tenant = tenant
        self.pool = pool
        self.judges = judges
        self.operation = operation
        self.listed_by = None if tenant is None or tenant.tenant.suppression_scope == "ACCOUNT" else tenant.name
        self.requires_tls = declared.tls == REQUIRE
        reasons = declared.suppressed_reasons
        if reasons is None and tenant is not None and self.listed_by is not None:
            reasons = tenant.tenant.suppressed_reasons
        self.suppressed_reasons = reasons
        given = declared.max_delivery_time
        self.max_delivery_time = max_delivery_time if given is None else given
