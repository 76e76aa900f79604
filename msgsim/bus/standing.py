"""Standing: what a sending account may do and is known for: pauses, suppression lists, reputations, tenants."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from msgsim.bus.configuration_set import ConfigurationSet
from msgsim.bus.email_templates import EmailTemplate
from msgsim.bus.emails import check_tags
from msgsim.bus.identities import Identities
from msgsim.bus.outcomes import Books
from msgsim.bus.reputation import HEALTHY, SHUTDOWN, Reputation, ReputationPolicy
from msgsim.bus.send_statistics import SendStatistics
from msgsim.bus.sending_tenants import SendingTenant, TenantStanding
from msgsim.bus.suppression import REASONS, SuppressedDestination, SuppressionList, check_reason, listed_address
from msgsim.bus.terms import Judge, Terms
from msgsim.bus.warm_up import PoolTraffic
from msgsim.errors import InvalidParameterValue, UnknownName
from msgsim.quotas import SUPPRESSION_PAUSE, TENANTS

if TYPE_CHECKING:
    from msgsim.bus.deliveries import Deliveries
    from msgsim.bus.outbox import Outbox

Thing = TypeVar("Thing")


class Standing(Books, ABC):
    """What is asked of a sending account beside sending.

    Args:
        outbox: the declaration.
        name: of the account.

    Attributes:
        outbox, name: as given.
        paused: set it to refuse every email (SES-REP-3); `pause` and `resume` know since when.
        suppressed_reasons: as `Outbox.suppressed_reasons`, and may be changed.
        configuration_sets: by name; may be added to and taken from.
        identities: that it sends from; more may be created, and are refused until they are verified (SES-IDN-1).
        reputation: of the account; None if nobody looks.
        reputations: of the configuration sets that keep one, by name, as soon as they are used (CW-SES-2).
        templates: of emails, by name; may be added to and taken from (SES-SND-6).
        tenants, pools: at work, by name (SES-TEN-1, SES-IP-1).
        statistics: by quarters of an hour, where addresses are looked at (SES-REP-4).
    """

    __slots__ = (
        "_down",
        "_halted_at",
        "_lists",
        "_seen",
        "_stopped",
        "configuration_sets",
        "identities",
        "name",
        "outbox",
        "paused",
        "pools",
        "reputation",
        "reputations",
        "statistics",
        "suppressed_reasons",
        "templates",
        "tenants",
    )

    def __init__(self, outbox: "Outbox", name: str) -> None:
        super().__init__()
        self.outbox = outbox
        self.name = name
        self.paused = False
        self.suppressed_reasons: Sequence[str] = (
            REASONS if outbox.suppressed_reasons is None else outbox.suppressed_reasons
        )
        self.configuration_sets: dict[str, ConfigurationSet] = dict(outbox.configuration_sets)
        self.reputation = None if outbox.reputation is None else Reputation(outbox.reputation, name)
        self.reputations: dict[str, Reputation] = {}
        self.tenants = {each: TenantStanding(declared, each) for each, declared in outbox.tenants.items()}
        self.pools = {each: PoolTraffic(declared, each) for each, declared in outbox.pools.items()}
        self.statistics = SendStatistics(name)
        self._lists: dict[str | None, SuppressionList] = {}
        self.templates: dict[str, EmailTemplate] = dict(outbox.templates)
        self.identities = Identities(outbox.verified, outbox.identities, name=name)
        self._halted_at: float | None = None
        self._down = False
        self._seen = 0
        self._stopped = {each for each, declared in outbox.configuration_sets.items() if not declared.sending}

    @abstractmethod
    def advance(self, now: float) -> None:
        """Do everything that is due by `now` [s]."""

    @abstractmethod
    def look(self) -> "Deliveries":
        """Look at the addresses of all emails from now on."""

    def terms(
        self,
        configuration_set: str | None = None,
        *,
        tenant: str | None = None,
        tags: Mapping[str, str] | None = None,
        operation: str = "SendEmail",
    ) -> Terms:
        """What holds for the emails that one place sends: work it out once, and give it with each.

        Args:
            configuration_set: by name; None for the outbox's usual one.
            tenant: by name, that sends (SES-TEN-1); None for none.
            tags: message tags, on top of an email's own.
            operation: by which they are sent, as events tell (SES-EVT-1).

        Raises:
            UnknownName: there is no such configuration set or tenant (SES-SND-4).
            InvalidParameterValue: `tags` are no table, or a name or value cannot be (SES-SND-7).
        """
        pairs = tuple(tags.items()) if isinstance(tags, Mapping) else ()
        if not isinstance(tags, Mapping | None) or not all(isinstance(each, str) for pair in pairs for each in pair):
            raise InvalidParameterValue(f"{self.name}: tags={tags!r} is not a table of names and values (SES-SND-7)")
        check_tags(pairs)
        name = self.outbox.configuration_set if configuration_set is None else configuration_set
        declared = ConfigurationSet()
        if name is not None:
            declared = self._named("configuration set", name, self.configuration_sets)
        standing = None if tenant is None else self._named("tenant", tenant, self.tenants)
        judges: list[Judge] = [] if self.reputation is None else [self.reputation]
        if declared.reputation_metrics and name is not None:
            if name not in self.reputations:
                self.reputations[name] = Reputation(self.outbox.reputation or ReputationPolicy(), name)
            judges.append(self.reputations[name])
        if standing is not None:
            judges.append(standing)
        pool = None if declared.pool is None else self._named("pool", declared.pool, self.pools)
        if name is not None or standing is not None:
            self.look()
        limit = self.outbox.max_delivery_time
        return Terms(name, declared, limit, tags=tags, tenant=standing, pool=pool, judges=judges, operation=operation)

    @staticmethod
    def _named(what: str, name: str, known: Mapping[str, Thing]) -> Thing:
        if not isinstance(name, str) or name not in known:
            raise UnknownName.among(what, name, known)
        return known[name]

    def status(self, now: float) -> str:
        """HEALTHY, PROBATION or SHUTDOWN; an account that nobody looks at is healthy (SES-REP-3)."""
        self.advance(now)
        return HEALTHY if self.reputation is None else self.reputation.status(now)

    def is_paused(self, now: float) -> bool:
        """Whether every email is refused, by whoever paused it."""
        return self.status(now) == SHUTDOWN or self.paused

    def pause(self, now: float) -> None:
        """Refuse every email from now on (SES-REP-3)."""
        self._follow_pauses(now)
        self.paused = True
        self._halt(now)

    def resume(self, now: float) -> None:
        """Accept emails again. After a pause of more than 90 days the suppression list is empty (SES-SUP-5)."""
        self._follow_pauses(now)
        self.paused = False
        self._halt(now)

    def pause_configuration_set(self, name: str, now: float, *, sending: bool = False) -> None:
        """Refuse the emails of a configuration set from now on, or no longer with `sending` (SES-REP-3).

        Raises:
            InvalidParameterValue: `sending` is neither true nor false.
            UnknownName: there is none of that name.
        """
        if not isinstance(sending, bool):
            raise InvalidParameterValue(f"{self.name}: sending={sending!r} is neither true nor false")
        self.advance(now)
        self._named("configuration set", name, self.configuration_sets)
        (self._stopped.discard if sending else self._stopped.add)(name)

    def is_sending(self, name: str) -> bool:
        """Whether the emails of a configuration set are accepted, as far as that depends on the set (SES-REP-3)."""
        return name not in self._stopped

    def add_tenant(self, name: str, tenant: SendingTenant, now: float) -> TenantStanding:
        """Let a further tenant send (SES-TEN-1).

        Args:
            name: by which emails have it.
            tenant: its declaration.
            now: simulated time [s].

        Raises:
            InvalidParameterValue: there is one of that name, or there are 10,000 (SES-QUO-8).
        """
        self.advance(now)
        if name in self.tenants:
            raise InvalidParameterValue(f"{self.name}: there is a tenant {name!r} already")
        if len(self.tenants) >= TENANTS.high:
            raise InvalidParameterValue(
                f"{self.name}: {len(self.tenants)} tenants; allowed: {TENANTS.high:.0f} ({TENANTS.rule})"
            )
        self._lists.pop(name, None)  # what an earlier one of that name had under way may have come on its list since
        self.tenants[name] = TenantStanding(tenant, name)
        return self.tenants[name]

    def drop_tenant(self, name: str, now: float) -> None:
        """Let a tenant go with its suppression list; what it has sent is still delivered (SES-TEN-1).

        Raises:
            UnknownName: there is none of that name.
        """
        self.advance(now)
        self._named("tenant", name, self.tenants)
        del self.tenants[name]
        self._lists.pop(name, None)

    def suppress(self, address: str, reason: str, now: float, *, tenant: str | None = None) -> None:
        """Put an address on the suppression list (SES-SUP-5).

        Args:
            address: with or without a name; capitals matter.
            reason: "BOUNCE" or "COMPLAINT".
            now: simulated time [s].
            tenant: whose list, which is the account's if it has none of its own; None for the account's.

        Raises:
            InvalidParameterValue: another reason, or no address.
            InvalidParameterValue: the account is in the sandbox, which lets nobody do so.
            UnknownName: there is no such tenant.
        """
        self.suppress_all([address], reason, now, tenant=tenant)

    def suppress_all(self, addresses: Sequence[str], reason: str, now: float, *, tenant: str | None = None) -> None:
        """The same for many, as an import job does; all or none.

        Raises:
            InvalidParameterValue: as `suppress`, or more than 100,000 (SES-SUP-5).
            UnknownName: there is no such tenant.
        """
        check_reason(reason)
        if isinstance(addresses, str) or not isinstance(addresses, Sequence):
            raise InvalidParameterValue(f"{self.name}: addresses={addresses!r} is not a list of addresses")
        bare = [listed_address(address) for address in addresses]
        if self.outbox.sandbox:
            raise InvalidParameterValue(f"{self.name}: the sandbox has no way to suppress addresses (SES-SUP-5)")
        self._open_list(now, tenant).put_all(bare, reason, now)
        self.look()

    def unsuppress(self, address: str, now: float, *, tenant: str | None = None) -> None:
        """Take an address off the suppression list.

        Raises:
            UnknownName: it is not there (SES-SUP-5).
        """
        self._open_list(now, tenant).delete(listed_address(address))

    def suppressed_destination(self, address: str, now: float, *, tenant: str | None = None) -> SuppressedDestination:
        """The entry of an address on the suppression list.

        Raises:
            UnknownName: it is not there (SES-SUP-5).
        """
        return self._open_list(now, tenant).get(listed_address(address))

    def suppressed_destinations(self, now: float, *, tenant: str | None = None) -> list[SuppressedDestination]:
        """What is on the suppression list, in the order in which it came there (SES-SUP-5)."""
        return list(self._open_list(now, tenant))

    def forgive(self, address: str, now: float, *, tenant: str) -> None:
        """A recipient says that an email was no spam: a complaint goes off the tenant's list (SES-SUP-4)."""
        self._open_list(now, tenant).forgive(listed_address(address))

    def _open_list(self, now: float, tenant: str | None = None) -> SuppressionList:
        self._follow_pauses(now)
        if tenant is None:
            return self.list_of(None)
        own = self._named("tenant", tenant, self.tenants).tenant.suppression_scope == "TENANT"
        return self.list_of(tenant if own else None)

    def _follow_pauses(self, now: float) -> None:
        """Note since when nothing is sent, by whoever paused it, and empty the list after 90 days of it (SES-SUP-5)."""
        self.advance(now)
        reputation = self.reputation
        if reputation is not None:
            reputation.advance(now)
            for at, status in reputation.changes[self._seen :]:
                self._down = status == SHUTDOWN
                self._halt(at)
            self._seen = len(reputation.changes)
        self._empty_list(now)

    def _halt(self, at: float) -> None:
        """Sending has been paused or resumed."""
        if not (self.paused or self._down):
            self._empty_list(at)
            self._halted_at = None
        elif self._halted_at is None:
            self._halted_at = at

    def _empty_list(self, now: float) -> None:
        halted_at = self._halted_at
        if halted_at is not None and now - halted_at > SUPPRESSION_PAUSE.low:
            self.list_of(None).clear(halted_at + SUPPRESSION_PAUSE.low)

    def list_of(self, tenant: str | None) -> SuppressionList:
        """The suppression list of a tenant that has one of its own (SES-SUP-4); None for the account's."""
        return self._lists.setdefault(tenant, SuppressionList())

    def note_sent(self, terms: Terms, now: float) -> None:
        """An email has left for one recipient, or would have but for the global list."""
        self.statistics.count(seen_at(self.statistics, now), delivery_attempts=1)
        for judge in terms.judges:
            judge.record_sent(1, seen_at(judge, now))

    def note_reject(self, recipients: int, now: float) -> None:
        """An email has been accepted and then not sent for what is in it (SES-SND-9)."""
        self.statistics.count(seen_at(self.statistics, now), rejects=recipients)

    def note_bounce(self, address: str, terms: Terms, now: float) -> None:
        """It turned out that an address does not exist: that is bad outside of one's own domains (SES-BNC-4)."""
        self.statistics.count(seen_at(self.statistics, now), bounces=1)
        if not self.identities.owns(address, now):
            for judge in terms.judges:
                judge.record_bounce(seen_at(judge, now))

    def note_complaint(self, terms: Terms, now: float) -> None:
        """A recipient has complained."""
        self.statistics.count(seen_at(self.statistics, now), complaints=1)
        for judge in terms.judges:
            judge.record_complaint(seen_at(judge, now))


def seen_at(books: SendStatistics | Judge, now: float) -> float:
    """When something of `now` is seen there: outcomes that are counted late must not go back behind the last look."""
    return max(now, books.now)
