"""What SES knows of an account beside its outbox: templates."""

import attrs

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
class EmailRecord:
    """What goes by names that only requests use.

    Attributes:
        templates: by name.
        destinations: names of the event destinations of each configuration set, in the order in which the set has them.
    """

    templates: dict[str, StoredTemplate] = attrs.field(factory=dict)
    destinations: dict[str, list[str]] = attrs.field(factory=dict)
