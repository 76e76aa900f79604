# Hot path: the `Step` of each action runs once per message (benchmarks/orders.py).
"""What workers do when they have handled a message: declared actions, and the steps they are wired into."""

import re
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import attrs

from msgsim.bus import drafts
from msgsim.bus.addresses import NOT_IN_HEADERS
from msgsim.bus.drafts import check_text
from msgsim.bus.email_templates import MOST_NESTED, EmailTemplate, TemplatedEmail
from msgsim.bus.feedback import feedback_in
from msgsim.bus.fifo_topic import FifoFanout
from msgsim.bus.message import COUNTER_BITS, Content, Message
from msgsim.bus.outbox import Email, SendingAccount
from msgsim.bus.queue import Queue
from msgsim.bus.suppression import REASONS
from msgsim.bus.templates import Template, as_content
from msgsim.bus.topic import Route, TopicFanout
from msgsim.declare import LARGEST, as_tuple, choice, copied, listed, number, text
from msgsim.engine.identifiers import cause, identifying, is_identifier
from msgsim.errors import DeclarationError, InvalidParameterValue, MessageRejected
from msgsim.quotas import DELAY, RECIPIENTS

MAX_PARTS = 31

_TAG = re.compile("[A-Za-z0-9_-]{1,256}")


class Action:
    """The base of all actions."""


def _check_template(owner: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    _check(f"{type(owner).__name__}.{attribute.name}", value, optional=attribute.default is None)


def _check_header(owner: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    _check_template(owner, attribute, value)
    _refuse_lines(f"{type(owner).__name__}.{attribute.name}", value)


def _check_addresses(owner: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    path = f"{type(owner).__name__}.{attribute.name}"
    for item in value if isinstance(value, tuple) else (value,):
        _check(path, item)
        _refuse_lines(path, item)


def _refuse_lines(path: str, value: object) -> None:
    """Refuse what would begin another header of the email, or end all of them."""
    if isinstance(value, str) and NOT_IN_HEADERS.search(value):
        raise DeclarationError(path, f"{value!r} has a line break or control character; allowed: one line of text")


def _check(path: str, value: object, *, optional: bool = False) -> None:
    if optional and value is None:
        return
    if not isinstance(value, str):
        raise DeclarationError(path, f"{value!r} is not a text")
    Template(value, path)


def _check_body(owner: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    path = f"{type(owner).__name__}.{attribute.name}"
    if value is None:
        return
    check_text(path, value)
    if not value:
        raise DeclarationError(path, "must not be empty (SQS-SND-1, SNS-PUB-1)")


def _check_tags(owner: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    path = f"{type(owner).__name__}.{attribute.name}"
    if value is None:
        return
    if not isinstance(value, Mapping):
        raise DeclarationError(path, f"{value!r} is not a table of names and values (SES-SND-7)")
    for name, item in value.items():
        for place, given in ((path, name), (f"{path}.{name}", item)):
            if not isinstance(given, str) or not _TAG.fullmatch(given):
                problem = f"{given!r} is not allowed; allowed: 1 to 256 letters, digits, '-' and '_' (SES-SND-7)"
                raise DeclarationError(place, problem)


def _check_data(owner: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    path = f"{type(owner).__name__}.{attribute.name}"
    if value is None:
        return
    if not isinstance(value, Mapping):
        raise DeclarationError(path, f"{value!r} is not a table of names and values (SES-SND-6)")
    _check_value(path, value, MOST_NESTED)


def _check_value(path: str, value: object, deep: int) -> None:
    """Refuse what JSON cannot hold, or what is nested deeper than templates can be."""
    if isinstance(value, (Mapping, list, tuple)) and not deep:
        raise DeclarationError(path, f"lists and tables stand in one another; allowed: {MOST_NESTED} deep")
    if isinstance(value, Mapping):
        for name, item in value.items():
            if not isinstance(name, str):
                raise DeclarationError(path, f"{name!r} is not a name")
            _check_value(f"{path}.{name}", item, deep - 1)
    elif isinstance(value, (list, tuple)):
        for position, item in enumerate(value):
            _check_value(f"{path}.{position}", item, deep - 1)
    elif isinstance(value, str):
        Template(value, path)
    elif not isinstance(value, (bool, int, float)) or not -LARGEST <= value <= LARGEST:
        raise DeclarationError(path, f"{value!r} is not a text, number, true, false, list or table")


@attrs.frozen
class SendEmail(Action):
    """Send an email; refused when the outbox is over its rate or quota.

    Attributes:
        outbox: name of the outbox.
        to, cc, bcc: addresses, with `{fields}` of the message.
        subject, body: with `{fields}` of the message.
        template: of the outbox, by name, that says subject and texts instead (SES-SND-6); None for none.
        data: that fill the template, by name: texts with `{fields}`, numbers, true, false, lists and tables.
        html: the body as HTML, with `{fields}`; None for an email of plain text.
        list_unsubscribe: addresses that end a subscription, with `{fields}`: `https://...` for one click, `mailto:...`
            (SES-IDN-3).
        configuration_set: of the outbox, by name; None for the outbox's own (SES-CFG-1).
        tenant: of the outbox, by name, who sends it; None for nobody (SES-TEN-1).
        tags: message tags, which its events tell (SES-SND-7).
    """

    outbox: str = text(empty=False)
    to: Sequence[str] = attrs.field(
        default="customer-{n}@example.com", converter=as_tuple, validator=_check_addresses, kw_only=True
    )
    subject: str = attrs.field(default="Message {n}", validator=_check_header, kw_only=True)
    body: str = attrs.field(default="{body}", validator=_check_template, kw_only=True)
    cc: Sequence[str] = attrs.field(default=(), converter=as_tuple, validator=_check_addresses, kw_only=True)
    bcc: Sequence[str] = attrs.field(default=(), converter=as_tuple, validator=_check_addresses, kw_only=True)
    html: str | None = attrs.field(default=None, validator=_check_template, kw_only=True)
    list_unsubscribe: Sequence[str] = attrs.field(
        default=(), converter=as_tuple, validator=_check_addresses, kw_only=True
    )
    configuration_set: str | None = text(None, optional=True, empty=False, kw_only=True)
    tenant: str | None = text(None, optional=True, empty=False, kw_only=True)
    tags: Mapping[str, Any] | None = attrs.field(default=None, converter=copied, validator=_check_tags, kw_only=True)
    template: str | None = text(None, optional=True, empty=False, kw_only=True)
    data: Mapping[str, Any] | None = attrs.field(default=None, converter=copied, validator=_check_data, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.template is None and self.data is not None:
            raise DeclarationError("SendEmail.data", "there is no template that they could fill (SES-SND-6)")
        if self.template is not None:
            for name in ("subject", "body", "html"):
                if getattr(self, name) != getattr(attrs.fields(SendEmail), name).default:
                    problem = "is not allowed with a template, which has its own (SES-SND-6)"
                    raise DeclarationError(f"SendEmail.{name}", f"{getattr(self, name)!r} {problem}")
        recipients = len(self.to) + len(self.cc) + len(self.bcc)
        if not RECIPIENTS.low <= recipients <= RECIPIENTS.high:
            raise DeclarationError(
                "SendEmail.to",
                f"{recipients} recipients are not allowed; allowed: {RECIPIENTS.low:g} to {RECIPIENTS.high:g} over to, "
                f"cc and bcc ({RECIPIENTS.rule})",
            )


@attrs.frozen
class Publish(Action):
    """Publish to a topic.

    Attributes:
        topic: name of the topic.
        body: with `{fields}`; None passes the message's own on.
        attributes: None passes the message's own on.
        subject: of the notification.
        group_id: with `{fields}`; None passes the message's own on (SNS-PUB-7). Where it becomes something that is no
            id of a group, or a FIFO topic gets none, the publish is refused (SNS-PUB-6).
        deduplication_id: with `{fields}`, such as "{message_id}", so that work that is done twice publishes once; of
            FIFO topics only. None makes it unique, unless the topic takes the hash of the body for it (SNS-FIFO-1).
    """

    topic: str = text(empty=False)
    body: str | None = attrs.field(default=None, validator=_check_body, kw_only=True)
    attributes: Mapping[str, Any] | None = drafts.attributes(kw_only=True)
    subject: str | None = drafts.subject(kw_only=True)
    group_id: str | None = attrs.field(default=None, validator=_check_template, kw_only=True)
    deduplication_id: str | None = attrs.field(default=None, validator=_check_template, kw_only=True)


@attrs.frozen
class SendMessage(Action):
    """Send to a queue.

    Attributes:
        queue: name of the queue.
        body: with `{fields}`; None passes the message's own on.
        attributes: None passes the message's own on.
        delay: instead of the queue's own [s] (SQS-DLY-1); of standard queues only (FIFO-SND-4).
        group_id: with `{fields}`; None passes the message's own on. Where it becomes something that is no id of a
            group, or a FIFO queue gets none, the send is refused (FIFO-SND-1, SQS-FAIR-1).
        deduplication_id: with `{fields}`, such as "{message_id}", so that work that is done twice sends once; of FIFO
            queues only. None makes it unique, unless the queue takes the hash of the body for it (FIFO-SND-2).
    """

    queue: str = text(empty=False)
    body: str | None = attrs.field(default=None, validator=_check_body, kw_only=True)
    attributes: Mapping[str, Any] | None = drafts.attributes(kw_only=True)
    delay: float | None = number(
        None, low=DELAY.low, high=DELAY.high, unit=DELAY.unit, rule=DELAY.rule, optional=True, kw_only=True
    )
    group_id: str | None = attrs.field(default=None, validator=_check_template, kw_only=True)
    deduplication_id: str | None = attrs.field(default=None, validator=_check_template, kw_only=True)


@attrs.frozen
class PutSuppressedDestination(Action):
    """Put the addresses that an event of an email tells of on the suppression list: those of hard bounces, complaints.

    For workers of a queue that gets an outbox's events, with a topic's envelope or without (SES-CFG-2). Events of other
    kinds need nothing; a message that carries no event is a failure.

    Attributes:
        outbox: name of the outbox whose list it is; not one in the sandbox, which lets nobody do so (SES-SUP-5).
        tenant: of the outbox, by name, whose own list it is; None for the account's (SES-SUP-4).
        reason: "BOUNCE" or "COMPLAINT", as which they come on it; None for what the event tells of. So the list of an
            outbox that is for one of them only can have the other, too.
    """

    outbox: str = text(empty=False)
    tenant: str | None = text(None, optional=True, empty=False, kw_only=True)
    reason: str | None = choice(None, REASONS, "SES-SUP-1", optional=True)


@attrs.frozen
class Join(Action):
    """Act once per traffic event, when every part has succeeded for it.

    Stands in `on_success` of every part. One of them says what it is; the others may give the name alone.

    Attributes:
        name: an entity of its own, with `completed`, `open` and `end_to_end_time`.
        parts: names of the pools that must succeed; each counts once, however often it succeeds.
        then: actions in order. If one is refused, the delivery that would have completed the join fails; the join acts
            when that message or another part succeeds again.
    """

    name: str = text(empty=False)
    parts: Sequence[str] = listed(str, "the name of a pool", kw_only=True)
    then: Sequence[Action] = listed(Action, "an action (SendEmail, Publish, SendMessage)", kw_only=True)

    def __attrs_post_init__(self) -> None:
        if len(set(self.parts)) != len(self.parts):
            raise DeclarationError("Join.parts", f"{list(self.parts)} names a part twice")
        if len(self.parts) > MAX_PARTS:
            raise DeclarationError("Join.parts", f"{len(self.parts)} parts are too many; allowed: {MAX_PARTS}")
        if bool(self.parts) != bool(self.then):
            raise DeclarationError("Join.then", "give both parts and then, or (in all parts but one) neither")
        if any(isinstance(action, Join) for action in self.then):
            raise DeclarationError("Join.then", "a join inside a join can't be: no pool succeeds with it")


ACTIONS: dict[str, type[Action]] = {
    "send-email": SendEmail,
    "publish": Publish,
    "send-message": SendMessage,
    "put-suppressed-destination": PutSuppressedDestination,
    "join": Join,
}
"""Actions by the tag they have in files."""


@attrs.frozen
class Retry:
    """Try a refused action again inside the worker, which stays busy meanwhile.

    The waits are base, 2 base, 4 base ..., each at most cap; after the last one the delivery fails.

    Attributes:
        attempts: tries after the first.
        base: first wait [s].
        cap: longest wait [s].
    """

    attempts: int = number(low=1, integer=True)
    base: float = number(1.0, above=True, unit="s")
    cap: float = number(60.0, above=True, unit="s")

    def wait(self, attempt: int) -> float:
        """The wait before try number `attempt`, counted from 0 [s]."""
        return min(self.cap, self.base * 2.0 ** min(attempt, 1_000))


class Port(Protocol):
    """Where messages go in: a queue, or the station that is in charge of it."""

    @property
    def enqueue(self) -> Callable[[str | Content, Mapping[str, Any] | None, float, int | None, float], object]:
        """As `StandardQueue.enqueue`."""
        ...

    @property
    def enqueue_later(
        self,
    ) -> Callable[[str | Content, Mapping[str, Any] | None, float, int | None, float, float], object]:
        """As `StandardQueue.enqueue_later`."""
        ...

    @property
    def enqueue_grouped(self) -> Callable[..., object]:
        """As `StandardQueue.enqueue_grouped`."""
        ...


EnqueueFifo = Callable[[str | Content, Mapping[str, Any] | None, float, int | None, float, str, str | None], object]
"""`FifoQueue.enqueue`."""


class Step(Protocol):
    """A wired action. Returns False if it was refused and changed nothing."""

    def __call__(self, message: Message, now: float) -> bool:
        """Act for a message that was handled successfully at `now` [s]."""
        ...


class Letter:
    """The templates of a SendEmail action; rendered when somebody looks at the email."""

    __slots__ = ("_parts", "recipients")

    def __init__(self, action: SendEmail, epoch: float) -> None:
        self.recipients = len(action.to) + len(action.cc) + len(action.bcc)
        html = () if action.html is None else (action.html,)
        groups = (action.to, action.cc, action.bcc, action.list_unsubscribe, html, (action.subject, action.body))
        self._parts = [[Template(item, "SendEmail", epoch) for item in group] for group in groups]

    def render(self, message: Message, now: float) -> Email:
        """The email for one message."""
        texts = ([item.fill(message, now) for item in group] for group in self._parts)
        to, cc, bcc, unsubscribe, html, (subject, body) = texts
        page = html[0] if html else None
        return Email(to, subject=subject, body=body, cc=cc, bcc=bcc, html=page, list_unsubscribe=unsubscribe)

    def addresses(self, message: Message, now: float) -> tuple[str, ...]:
        """Whom the email goes to, without building the rest of it."""
        return tuple(item.fill(message, now) for group in self._parts[:3] for item in group)


class TemplatedLetter(Letter):
    """A SendEmail action with a template of emails: filled at each look, and its data may not fit (SES-SND-6)."""

    __slots__ = ("_data", "_template", "template_name")

    def __init__(self, action: SendEmail, template: EmailTemplate, epoch: float) -> None:
        plain = attrs.evolve(action, template=None, data=None, subject="", body="")
        super().__init__(plain, epoch)
        self.template_name = action.template
        self._template = template
        self._data = _planted(action.data or {}, epoch)

    def render(self, message: Message, now: float) -> Email:
        """The email for one message.

        Raises:
            RenderingFailure: template and data do not fit.
        """
        return TemplatedEmail(self._template, _filled(self._data, message, now), self.unrendered(message, now)).render()

    def unrendered(self, message: Message, now: float) -> Email:
        """All of it but its texts."""
        return super().render(message, now)

    def failure(self, message: Message, now: float) -> str | None:
        """Why it cannot be rendered; None if it can."""
        return TemplatedEmail(self._template, _filled(self._data, message, now), _NOBODY).failure()


_NOBODY = Email(())


def _planted(value: Any, epoch: float) -> Any:
    """Data with a template in the place of each text."""
    if isinstance(value, Mapping):
        return {name: _planted(item, epoch) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_planted(item, epoch) for item in value]
    return Template(value, "SendEmail.data", epoch) if isinstance(value, str) else value


def _filled(value: Any, message: Message, now: float) -> Any:
    """Data with what its templates become."""
    if isinstance(value, dict):
        return {name: _filled(item, message, now) for name, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, message, now) for item in value]
    return value.fill(message, now) if isinstance(value, Template) else value


def _letter(action: SendEmail, account: SendingAccount, epoch: float) -> Letter:
    if action.template is None:
        return Letter(action, epoch)
    return TemplatedLetter(action, account.templates[action.template], epoch)


class SendEmailStep:
    """SendEmail, wired; nothing holds for its emails but what holds for all of the outbox."""

    __slots__ = ("_letter", "_recipients", "_send")

    def __init__(self, action: SendEmail, account: SendingAccount, epoch: float) -> None:
        self._letter = _letter(action, account, epoch)
        self._recipients = self._letter.recipients
        self._send = account.try_send

    def __call__(self, message: Message, now: float) -> bool:
        """Send, or be refused."""
        origin = message.number if message.origin is None else message.origin
        return self._send(self._recipients, now, message.origin_at, origin, self._letter, message)


class SendEmailOnTermsStep:
    """SendEmail with a configuration set, a tenant or tags, wired."""

    __slots__ = ("_letter", "_recipients", "_send", "_terms")

    def __init__(self, action: SendEmail, account: SendingAccount, epoch: float) -> None:
        self._letter = _letter(action, account, epoch)
        self._recipients = self._letter.recipients
        self._send = account.try_send_on
        self._terms = account.terms(action.configuration_set, tenant=action.tenant, tags=action.tags)

    def __call__(self, message: Message, now: float) -> bool:
        """Send, or be refused."""
        origin = message.number if message.origin is None else message.origin
        return self._send(self._terms, self._recipients, now, message.origin_at, origin, self._letter, message)


def send_email_step(action: SendEmail, account: SendingAccount, epoch: float) -> Step:
    """SendEmail, wired by what it needs."""
    plain = action.configuration_set is None and action.tenant is None and not action.tags
    return (SendEmailStep if plain else SendEmailOnTermsStep)(action, account, epoch)


class PutSuppressedDestinationStep:
    """PutSuppressedDestination, wired."""

    __slots__ = ("_account", "_reason", "_tenant")

    def __init__(self, action: PutSuppressedDestination, account: SendingAccount) -> None:
        self._account = account
        self._reason = action.reason
        self._tenant = action.tenant

    def __call__(self, message: Message, now: float) -> bool:
        """Put addresses on the list; refuse what is no event of an email, or tells of what is no address."""
        feedback = feedback_in(message)
        if feedback is None:
            return False
        if feedback.reason is not None:
            try:
                reason = self._reason or feedback.reason
                self._account.suppress_all(feedback.addresses, reason, now, tenant=self._tenant)
            except (InvalidParameterValue, MessageRejected):
                return False
        return True


class PublishStep:
    """Publish to a standard topic, wired."""

    __slots__ = ("_content", "_group", "_route", "_subject", "_topic")

    def __init__(self, action: Publish, topic: TopicFanout, epoch: float) -> None:
        self._topic = topic
        self._content = None if action.body is None else as_content(action.body, "Publish.body", epoch)
        self._subject = action.subject
        self._group = None if action.group_id is None else Template(action.group_id, "Publish.group_id", epoch)
        self._route: Route | None = (
            None if action.attributes is None else topic.route(action.attributes, action.subject)
        )

    def __call__(self, message: Message, now: float) -> bool:
        """Publish; a topic refuses ids of groups that are none."""
        content = message.content if self._content is None else filled(self._content, message, now)
        origin = message.number if message.origin is None else message.origin
        group = None
        if self._group is not None or type(message) is not Message:
            group = group_of(self._group, message, now)
            if group is not None and self._group is not None and not is_identifier(group):
                return False
        if self._route is None:
            self._topic.fan_out(content, message.attributes, now, origin, message.origin_at, self._subject, group)
        elif group is None:
            self._route.publish(content, now, origin, message.origin_at)
        else:
            self._route.publish_grouped(content, now, origin, message.origin_at, group)
        return True


class PublishToFifoStep:
    """Publish to a FIFO topic, wired."""

    __slots__ = ("_by_content", "_content", "_group", "_identify", "_route", "_subject", "_topic")

    def __init__(self, action: Publish, topic: FifoFanout, epoch: float) -> None:
        self._topic = topic
        self._content = None if action.body is None else as_content(action.body, "Publish.body", epoch)
        self._subject = action.subject
        self._group = None if action.group_id is None else Template(action.group_id, "Publish.group_id", epoch)
        self._route = None if action.attributes is None else topic.route(action.attributes, action.subject)
        self._by_content = action.deduplication_id is None
        self._identify = identifying(action.deduplication_id, topic.declaration, "Publish.deduplication_id", epoch)

    def __call__(self, message: Message, now: float) -> bool:
        """Publish, or be refused for the lack of a group (SNS-PUB-6) or too many publishes; a duplicate is neither."""
        group = group_of(self._group, message, now)
        if group is None or not is_identifier(group):
            return False
        content = message.content if self._content is None else filled(self._content, message, now)
        origin = message.number if message.origin is None else message.origin
        route = self._route or self._topic.route(message.attributes, self._subject)
        given = None
        if self._identify is not None:
            said = message
            if self._by_content:
                said = cause(content, route.attributes, origin, message.origin_at, group)
            given = self._identify(said, now)
        return self._topic.try_accept(route, content, now, origin, message.origin_at, group, given)


def publish_step(action: Publish, topic: TopicFanout, epoch: float) -> Step:
    """Publish, wired by what the topic is."""
    return (
        PublishToFifoStep(action, topic, epoch) if isinstance(topic, FifoFanout) else PublishStep(action, topic, epoch)
    )


class SendMessageStep:
    """SendMessage to a standard queue, wired."""

    __slots__ = ("_attributes", "_content", "_delay", "_group", "_queue")

    def __init__(self, action: SendMessage, queue: "Port", epoch: float) -> None:
        self._queue = queue
        self._content = None if action.body is None else as_content(action.body, "SendMessage.body", epoch)
        self._attributes = action.attributes
        self._delay = action.delay
        self._group = None if action.group_id is None else Template(action.group_id, "SendMessage.group_id", epoch)

    def __call__(self, message: Message, now: float) -> bool:
        """Send; a queue refuses ids of groups that are none."""
        content = message.content if self._content is None else filled(self._content, message, now)
        attributes = message.attributes if self._attributes is None else self._attributes
        origin = message.number if message.origin is None else message.origin
        if self._group is not None or type(message) is not Message:
            group = group_of(self._group, message, now)
            if group is not None:
                if self._group is not None and not is_identifier(group):
                    return False
                place = (content, attributes, now, origin, message.origin_at, group)
                self._queue.enqueue_grouped(*place, *(() if self._delay is None else (self._delay,)))
                return True
        if self._delay is None:
            self._queue.enqueue(content, attributes, now, origin, message.origin_at)
        else:
            self._queue.enqueue_later(content, attributes, now, origin, message.origin_at, self._delay)
        return True


class SendToFifoStep:
    """SendMessage to a FIFO queue, wired.

    Args:
        action: what to do.
        enqueue: as `FifoQueue.enqueue`.
        declaration: of the queue.
        epoch: seconds since 1970 at time 0.
    """

    __slots__ = ("_attributes", "_by_content", "_content", "_enqueue", "_group", "_identify")

    def __init__(self, action: SendMessage, enqueue: "EnqueueFifo", declaration: Queue, epoch: float) -> None:
        self._enqueue = enqueue
        self._content = None if action.body is None else as_content(action.body, "SendMessage.body", epoch)
        self._attributes = action.attributes
        self._group = None if action.group_id is None else Template(action.group_id, "SendMessage.group_id", epoch)
        self._by_content = action.deduplication_id is None
        self._identify = identifying(action.deduplication_id, declaration, "SendMessage.deduplication_id", epoch)

    def __call__(self, message: Message, now: float) -> bool:
        """Send, or be refused for the lack of a group (FIFO-SND-1); a duplicate is no refusal (FIFO-DUP-2)."""
        group = group_of(self._group, message, now)
        if group is None or not is_identifier(group):
            return False
        content = message.content if self._content is None else filled(self._content, message, now)
        attributes = message.attributes if self._attributes is None else self._attributes
        origin = message.number if message.origin is None else message.origin
        given = None
        if self._identify is not None:
            said = cause(content, attributes, origin, message.origin_at, group) if self._by_content else message
            given = self._identify(said, now)
        self._enqueue(content, attributes, now, origin, message.origin_at, group, given)
        return True


def group_of(template: Template | None, message: Message, now: float) -> str | None:
    """The group of what a message causes: by a template, or its own; None if there is none."""
    if template is not None:
        return template.fill(message, now) or None
    group: str | None = getattr(message, "group_id", None)
    return group


class JoinState:
    """A join at work: which parts have succeeded for which traffic event.

    Where an action of `then` is refused, the join goes on with that one at the next success of a part.

    Attributes:
        opened: events for which at least one part has succeeded.
        completed: events for which all have, and `then` has been done.
        end_to_end: traffic event to completion [s], one for each completed.
    """

    __slots__ = ("_all", "_done", "_masks", "_refused", "_then", "completed", "end_to_end", "name", "opened")

    def __init__(self, name: str, parts: int) -> None:
        self.name = name
        self.opened = 0
        self.completed = 0
        self.end_to_end = array("d")
        self._all = (1 << parts) - 1
        self._done = 1 << parts
        self._masks: dict[int, array[int]] = {}
        self._refused: dict[int, int] = {}
        self._then: Sequence[Step] = ()

    def then(self, steps: Sequence[Step]) -> None:
        """What to do when all parts have succeeded."""
        self._then = steps

    def arrive(self, bit: int, message: Message, now: float) -> bool:
        """A part has succeeded for the event that caused `message`."""
        origin = message.number if message.origin is None else message.origin
        base = origin >> COUNTER_BITS
        index = origin - (base << COUNTER_BITS)
        masks = self._masks.get(base)
        if masks is None:
            masks = self._masks[base] = array("L")
        if index >= len(masks):
            masks.extend([0] * (index + 1 - len(masks) + len(masks) // 8))
        mask = masks[index]
        if not mask:
            self.opened += 1
        mask |= bit
        masks[index] = mask
        if mask != self._all:
            return True
        steps = self._then
        begin = self._refused.pop(origin, 0) if self._refused else 0
        for position in range(begin, len(steps)):
            if not steps[position](message, now):
                self._refused[origin] = position
                return False
        masks[index] = mask | self._done
        self.completed += 1
        self.end_to_end.append(now - message.origin_at)
        return True


class JoinStep:
    """One part's share in a join."""

    __slots__ = ("_arrive", "_bit")

    def __init__(self, state: JoinState, position: int) -> None:
        self._arrive = state.arrive
        self._bit = 1 << position

    def __call__(self, message: Message, now: float) -> bool:
        """Count the part, and act if it was the last."""
        return self._arrive(self._bit, message, now)


class Filled:
    """A body with the fields of the message that caused it, built when it is read."""

    __slots__ = ("_cause", "_now", "_template")

    def __init__(self, template: Template, cause: Message, now: float) -> None:
        self._template = template
        self._cause = cause
        self._now = now

    def render(self, message: Message) -> str:  # noqa: ARG002 - the fields are those of the cause
        """The text."""
        return self._template.fill(self._cause, self._now)


def filled(content: str | Template, message: Message, now: float) -> str | Content:
    """A body with the fields of the message that caused it.

    Messages that cause one another for ever must not keep one another: every second body is built at once.
    """
    if isinstance(content, str):
        return content
    if isinstance(message.content, Filled):
        return content.fill(message, now)
    return Filled(content, message, now)
