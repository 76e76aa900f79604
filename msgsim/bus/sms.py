"""Text messages: the parts that a text is billed as, and who gets any (SNS-SMS-1, SNS-SMS-2)."""

import re
from collections import Counter
from hashlib import blake2b

from msgsim.declare import check_flag
from msgsim.declare import check_number as check_amount
from msgsim.errors import InvalidParameter
from msgsim.quotas import (
    OPT_IN_INTERVAL,
    SANDBOX_NUMBER_TIME,
    SANDBOX_NUMBERS,
    SMS_CHARACTERS,
    SMS_PART_ASCII,
    SMS_PART_GSM,
    SMS_PART_HEADER_GSM,
    SMS_PART_HEADER_UCS,
    SMS_PART_UCS,
)

GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The characters of GSM-7 that take one place of a part."""

GSM_PAIRS = frozenset("^{}\\[~]|€\f")
"""Those that take two."""

NUMBER = re.compile(r"\+[1-9][0-9]{1,14}", re.ASCII)
SENDER_ID = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9]{1,11}", re.ASCII)
"""Who a message may say that it is from (SNS-SMS-2)."""

MONTH = 2_592_000.0
"""SIM: a month of spending has 30 days; the first begins at time 0 [s]."""

TYPES = ("Promotional", "Transactional")
OUTCOMES = ("delivered", "opted out", "not verified", "over the spend limit", "refused")
"""What becomes of a message; "refused" are those of topics only: a caller is told at once that a text cannot be."""


def parts(text: str, *, headers: bool = False) -> list[str]:
    """The parts that a text is sent and billed as.

    A part ends at a space if there is one in it; a word that is longer than a part is cut.

    Args:
        text: at least one character.
        headers: each of several parts has less room, for what joins them: whether it is so is not confirmed.

    Raises:
        InvalidParameter: more than 1,600 characters.
    """
    if len(text) > SMS_CHARACTERS.high:
        raise InvalidParameter("Invalid parameter: Message too long")
    if all(character in GSM or character in GSM_PAIRS for character in text):
        sizes = [2 if character in GSM_PAIRS else 1 for character in text]
        room, less = SMS_PART_GSM, SMS_PART_HEADER_GSM
    elif text.isascii():
        sizes, room, less = [1] * len(text), SMS_PART_ASCII, SMS_PART_HEADER_GSM
    else:
        sizes, room, less = [1 + (character > "\uffff") for character in text], SMS_PART_UCS, SMS_PART_HEADER_UCS
    if sum(sizes) <= room.high:
        return [text]
    return _split(text, sizes, int(min(less.high, room.high) if headers else room.high))


def _split(text: str, sizes: list[int], room: int) -> list[str]:
    found = []
    start = 0
    while start < len(text):
        end = start
        size = 0
        while end < len(text) and size + sizes[end] <= room:
            size += sizes[end]
            end += 1
        if end < len(text) and text[end] != " ":
            space = text.rfind(" ", start, end)
            end = space + 1 if space > start else end
        found.append(text[start:end])
        start = end
    return found


class SmsSender:
    """The text messages of an account.

    Args:
        sandbox: only verified numbers get any.
        monthly_spend_limit: of a month [USD]; None for no limit.
        price: of a part [USD].
        headers: as for `parts`.

    Attributes:
        outcomes: messages by what became of them, see `OUTCOMES`.
        parts_sent: that were delivered, and billed.
        type: of messages that do not say which they are.
        sender_id: of messages that do not say who they are from; nothing for none.
        codes: that numbers of the sandbox were sent and have not been entered yet.

    Raises:
        DeclarationError: an amount that is negative or none, or a switch that is none.
    """

    __slots__ = (
        "_month",
        "_opted_in_at",
        "_opted_out",
        "_spent",
        "_verified",
        "codes",
        "headers",
        "monthly_spend_limit",
        "outcomes",
        "parts_sent",
        "price",
        "sandbox",
        "sender_id",
        "type",
    )

    def __init__(
        self,
        *,
        sandbox: bool = False,
        monthly_spend_limit: float | None = None,
        price: float = 0.0,
        headers: bool = False,
    ) -> None:
        check_flag("SmsSender.sandbox", sandbox)
        check_flag("SmsSender.headers", headers)
        check_amount("SmsSender.price", price, unit="USD")
        if monthly_spend_limit is not None:
            check_amount("SmsSender.monthly_spend_limit", monthly_spend_limit, unit="USD")
        self.sandbox = sandbox
        self.monthly_spend_limit = monthly_spend_limit
        self.price = price
        self.headers = headers
        self.type = TYPES[0]
        self.sender_id = ""
        self.outcomes: Counter[str] = Counter()
        self.parts_sent = 0
        self.codes: dict[str, str] = {}
        self._verified: dict[str, tuple[float, bool]] = {}
        self._opted_out: dict[str, float] = {}
        self._opted_in_at: dict[str, float] = {}
        self._month = 0.0
        self._spent = 0.0

    def send(self, number: str, text: str, now: float) -> str:
        """Send a text message, or not.

        Args:
            number: in E.164, such as "+14255550123".
            text: up to 1,600 characters.
            now: [s].

        Returns:
            What became of it, one of `OUTCOMES`; the service accepts all of them.

        Raises:
            InvalidParameter: no number, or no text, or too long a one.
        """
        check_number("PhoneNumber", number)
        if not text:
            raise InvalidParameter("Invalid parameter: Empty message")
        count = len(parts(text, headers=self.headers))
        spent = self.spent(now)
        outcome = self._outcome(number, now)
        self.outcomes[outcome] += 1
        if outcome == OUTCOMES[0]:
            self.parts_sent += count
            self._spent = spent + count * self.price
        return outcome

    def spent(self, now: float) -> float:
        """What this month's messages cost so far [USD]."""
        month = now // MONTH
        if month != self._month:
            self._month, self._spent = month, 0.0
        return self._spent

    def _outcome(self, number: str, now: float) -> str:
        if number in self._opted_out:
            return "opted out"
        if self.sandbox and not self._verified.get(number, (0.0, False))[1]:
            return "not verified"
        limit = self.monthly_spend_limit
        return "delivered" if limit is None or self.spent(now) < limit else "over the spend limit"

    # ---------------------------------------------------------------- numbers that want none

    @property
    def opted_out(self) -> list[str]:
        """Numbers that want no messages, in the order in which they said so."""
        return list(self._opted_out)

    def opt_out(self, number: str, now: float) -> None:
        """A recipient answers STOP."""
        check_number("phoneNumber", number)
        self._opted_out.setdefault(number, now)

    def opt_in(self, number: str, now: float) -> None:
        """Let a number have messages again; each number once per 30 days.

        Raises:
            InvalidParameter: it was opted in less than 30 days ago.
        """
        check_number("phoneNumber", number)
        if number not in self._opted_out:
            return
        if now < self._opted_in_at.get(number, -OPT_IN_INTERVAL.high) + OPT_IN_INTERVAL.high:
            raise InvalidParameter(f"Invalid parameter: phoneNumber Reason: {number} was opted in within 30 days")
        self._opted_in_at[number] = now
        del self._opted_out[number]

    # ---------------------------------------------------------------- the sandbox

    @property
    def sandbox_numbers(self) -> dict[str, bool]:
        """The numbers of the sandbox, and whether they are verified."""
        return {number: verified for number, (_, verified) in self._verified.items()}

    def add_sandbox_number(self, number: str, now: float) -> None:
        """Send a code to a number, which must be entered before it gets messages.

        Raises:
            InvalidParameter: no number, or more than ten.
        """
        check_number("PhoneNumber", number)
        if number not in self._verified:
            if len(self._verified) >= SANDBOX_NUMBERS.high:
                raise InvalidParameter(
                    f"Invalid parameter: PhoneNumber Reason: the sandbox has {SANDBOX_NUMBERS.high:.0f} numbers already"
                )
            self._verified[number] = (now, False)
        digest = blake2b(f"{number}@{now!r}".encode(), digest_size=8).digest()
        self.codes[number] = f"{int.from_bytes(digest) % 1_000_000:06}"

    def verify_sandbox_number(self, number: str, code: str) -> None:
        """Enter the code that a number was sent.

        Raises:
            InvalidParameter: it is another one.
            LookupError: the sandbox does not have the number.
        """
        added, _ = self._of_sandbox(number)
        if self.codes.get(number) != code:
            raise InvalidParameter("Invalid parameter: OneTimePassword")
        self._verified[number] = (added, True)
        del self.codes[number]

    def delete_sandbox_number(self, number: str, now: float) -> None:
        """Remove a number; not within 24 h.

        Raises:
            InvalidParameter: it was added less than 24 h ago.
            LookupError: the sandbox does not have the number.
        """
        added, _ = self._of_sandbox(number)
        if now < added + SANDBOX_NUMBER_TIME.high:
            raise InvalidParameter(f"Invalid parameter: PhoneNumber Reason: {number} was added within 24 hours")
        del self._verified[number]
        self.codes.pop(number, None)

    def _of_sandbox(self, number: str) -> tuple[float, bool]:
        if number not in self._verified:
            raise LookupError(number)
        return self._verified[number]


def check_number(parameter: str, number: object) -> None:
    """Refuse what is no telephone number.

    Raises:
        InvalidParameter: says which parameter.
    """
    if not isinstance(number, str) or not NUMBER.fullmatch(number):
        raise InvalidParameter(f"Invalid parameter: {parameter} Reason: {number} is not valid to publish to")
