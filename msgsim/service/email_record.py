"""What SES knows of an account beside its outbox: templates, and what it keeps of identities, sets and tenants."""

import attrs

from msgsim.bus.email_events import FEEDBACK
from msgsim.bus.email_templates import EmailTemplate


@attrs.frozen
class StoredTemplate:
    """A template of the account.

    Attributes:
        template: its texts.
        created_at: [s].
    """

    template: EmailTemplate
    created_at: float


@attrs.define(eq=False)
class IdentityRecord:
    """What is known about an identity beside how far it is verified.

    Attributes:
        topics: the topic that feedback of a type goes to, by its type (SES-CFG-4).
        with_headers: types of feedback that tell the headers of emails, in the order of `FEEDBACK`.
        forwarding: bounces and complaints are forwarded to the sender by email, who reads them outside of the bus.
        configuration_set: of emails that name none (SES-CFG-1).
        tags: by key.
        selector: of a DKIM key of one's own; None for Easy DKIM.
    """

    topics: dict[str, str] = attrs.field(factory=dict)
    with_headers: list[str] = attrs.field(factory=list)
    forwarding: bool = True
    configuration_set: str | None = None
    tags: dict[str, str] = attrs.field(factory=dict)
    selector: str | None = None

    def tell_headers(self, kind: str, *, told: bool) -> None:
        """Whether feedback of a type tells the headers of emails."""
        self.with_headers = [each for each in FEEDBACK if (told if each == kind else each in self.with_headers)]


@attrs.define(eq=False)
class TenantRecord:
    """What is known about a tenant that was made by a request, beside its standing.

    Attributes:
        number: how many were made before it.
        created_at: [s].
        tags: by key.
        resources: names of what it sends with, such as "identity/example.com" and "configuration-set/news".
    """

    number: int
    created_at: float
    tags: dict[str, str] = attrs.field(factory=dict)
    resources: list[str] = attrs.field(factory=list)

    @property
    def lacks(self) -> str | None:
        """What it needs to send and has none of (SES-TEN-1); None if nothing."""
        kinds = ("identity", "configuration-set")
        return next((kind for kind in kinds if not any(each.startswith(f"{kind}/") for each in self.resources)), None)


@attrs.define(eq=False)
class EmailRecord:
    """What goes by names that only requests use.

    Attributes:
        templates: by name.
        destinations: names of the event destinations of each configuration set, in the order in which the set has them.
        identities: by the names by which they are compared; those that nothing was asked for are not here.
        tenants: by name; declared ones are not here.
        tenants_made: how many tenants were made, so that none has the id of another.
        fresh_starts: since when the rates of a configuration set are counted [s], where they began anew.
    """

    templates: dict[str, StoredTemplate] = attrs.field(factory=dict)
    destinations: dict[str, list[str]] = attrs.field(factory=dict)
    identities: dict[str, IdentityRecord] = attrs.field(factory=dict)
    tenants: dict[str, TenantRecord] = attrs.field(factory=dict)
    tenants_made: int = 0
    fresh_starts: dict[str, float] = attrs.field(factory=dict)

    def identity(self, name: str) -> IdentityRecord:
        """What is known about an identity; something is from now on."""
        return self.identities.setdefault(name, IdentityRecord())

    def forget(self, resource: str) -> None:
        """No tenant sends with it any more."""
        for tenant in self.tenants.values():
            tenant.resources = [each for each in tenant.resources if each != resource]
