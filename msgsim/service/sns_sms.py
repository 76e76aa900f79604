"""SNS: text messages: attributes, numbers that opted out, the sandbox (SNS-SMS-2)."""

from collections.abc import Mapping
from math import inf
from typing import Any

from msgsim.bus.message import Message
from msgsim.bus.notifications import Inbox
from msgsim.bus.sms import SENDER_ID, TYPES, SmsSender, check_number
from msgsim.bus.subscription import Subscription
from msgsim.errors import InvalidParameter, ServiceError
from msgsim.service.account import Account
from msgsim.service.sns_refusals import invalid

_ATTRIBUTES = ("DefaultSMSType", "DefaultSenderID", "MonthlySpendLimit")
_OF_MESSAGE = {"AWS.SNS.SMS.SMSType": "DefaultSMSType", "AWS.SNS.SMS.SenderID": "DefaultSenderID"}
"""Attributes of a message that say otherwise than those of the account."""


class Phone(Inbox):
    """The endpoint of a subscription for text messages: what it gets goes out by the account's sender (SNS-SMS-1).

    Who listens to the subscription (`TopicFanout.listen`) takes its place.

    Args:
        sender: of the account.
        subscription: of a telephone number.
        topic_arn: of its topic.
    """

    __slots__ = ("_number", "_sender")

    def __init__(self, sender: SmsSender, subscription: Subscription, topic_arn: str) -> None:
        super().__init__(subscription, topic_arn, limit=1)
        self._sender = sender
        self._number = subscription.endpoint

    def _keep(self, message: Message, content: Any, now: float, origin: int | None, origin_at: float) -> None:
        super()._keep(message, content, now, origin, origin_at)
        try:
            self._sender.send(self._number, self.received[-1].body, now)
        except InvalidParameter:
            self._sender.outcomes["refused"] += 1


def get_sms_attributes(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """How text messages are sent."""
    sender = account.sms
    known = {"DefaultSMSType": sender.type}
    if sender.sender_id:
        known["DefaultSenderID"] = sender.sender_id
    if sender.monthly_spend_limit is not None:
        known["MonthlySpendLimit"] = f"{sender.monthly_spend_limit:g}"
    wanted = params.get("attributes", _ATTRIBUTES)
    return {"attributes": {name: value for name, value in known.items() if name in wanted}}


def set_sms_attributes(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """Change how text messages are sent."""
    attributes = params["attributes"]
    for name, value in attributes.items():
        if name not in _ATTRIBUTES:
            raise invalid("attributes", f"{name} is not modelled; allowed: {', '.join(_ATTRIBUTES)}")
        _check(name, value, "attributes", name)
        if name == "MonthlySpendLimit":
            _amount(value)
    sender = account.sms
    sender.type = attributes.get("DefaultSMSType", sender.type)
    sender.sender_id = attributes.get("DefaultSenderID", sender.sender_id)
    if "MonthlySpendLimit" in attributes:
        sender.monthly_spend_limit = _amount(attributes["MonthlySpendLimit"])
    return {}


def check_if_phone_number_is_opted_out(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """Whether a number wants no messages."""
    number = params["phoneNumber"]
    check_number("phoneNumber", number)
    return {"isOptedOut": number in account.sms.opted_out}


def list_phone_numbers_opted_out(account: Account, _: Mapping[str, Any], __: float) -> dict[str, Any]:
    """All numbers that want no messages."""
    return {"phoneNumbers": account.sms.opted_out}


def opt_in_phone_number(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Let a number have messages again."""
    account.sms.opt_in(params["phoneNumber"], now)
    return {}


def get_sms_sandbox_account_status(account: Account, _: Mapping[str, Any], __: float) -> dict[str, Any]:
    """Whether the account is in the sandbox."""
    return {"IsInSandbox": account.sms.sandbox}


def create_sms_sandbox_phone_number(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Send a code to a number."""
    account.sms.add_sandbox_number(params["PhoneNumber"], now)
    return {}


def verify_sms_sandbox_phone_number(account: Account, params: Mapping[str, Any], _: float) -> dict[str, Any]:
    """Enter the code."""
    try:
        account.sms.verify_sandbox_number(params["PhoneNumber"], params["OneTimePassword"])
    except LookupError:
        raise _unknown() from None
    return {}


def delete_sms_sandbox_phone_number(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Remove a number."""
    try:
        account.sms.delete_sandbox_number(params["PhoneNumber"], now)
    except LookupError:
        raise _unknown() from None
    return {}


def list_sms_sandbox_phone_numbers(account: Account, _: Mapping[str, Any], __: float) -> dict[str, Any]:
    """The numbers of the sandbox."""
    numbers = account.sms.sandbox_numbers.items()
    return {
        "PhoneNumbers": [
            {"PhoneNumber": number, "Status": "Verified" if verified else "Pending"} for number, verified in numbers
        ]
    }


def check_message(attributes: Mapping[str, Any]) -> None:
    """Refuse a type or a sender that a text message cannot have (SNS-SMS-2).

    Args:
        attributes: of the message.

    Raises:
        InvalidParameter: says which.
    """
    for name, default in _OF_MESSAGE.items():
        if name in attributes:
            _check(default, attributes[name], "MessageAttributes", name)


def _check(default: str, value: object, parameter: str, name: str) -> None:
    if default == "DefaultSMSType" and value not in TYPES:
        raise invalid(parameter, f"{name} {value}; allowed: {', '.join(TYPES)}")
    if default == "DefaultSenderID" and not (isinstance(value, str) and SENDER_ID.fullmatch(value)):
        raise invalid(parameter, f"{name} {value}; allowed: 1 to 11 letters and digits, a letter among them")


def _unknown() -> ServiceError:
    return ServiceError("ResourceNotFound", "The phone number is not in the sandbox", 404)


def _amount(written: str) -> float:
    try:
        amount = float(written)
    except ValueError:
        amount = -1.0
    if not 0 <= amount < inf:
        raise invalid("attributes", f"MonthlySpendLimit {written}; allowed: an amount of US dollars")
    return amount
