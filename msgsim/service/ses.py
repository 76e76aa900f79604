"""SES (version 2) by its own names: emails and quotas."""

from collections.abc import Mapping
from math import inf
from typing import Any

from msgsim.bus.mail import Email
from msgsim.bus.outbox import OVER_DAILY_QUOTA
from msgsim.errors import SendingPaused, ServiceError, Throttled
from msgsim.service.account import Account
from msgsim.service.operation import Operation, Service
from msgsim.service.parameters import TEXT, ListOf, Missing, Structure

SES = Service(
    missing=Missing("BadRequestException", "The request must contain the parameter {}."),
    codes={
        Throttled: ("TooManyRequestsException", 429),
        SendingPaused: ("SendingPausedException", 400),
    },
)
"""How SES answers; its refusals (SES-QUO-5, SES-SND-4)."""

UNLIMITED = -1.0
"""How an account without a quota says so (SES-QUO-3)."""


def send_email(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Send an email with a subject and a text (SES-SND-1 ... SES-SND-4).

    Its body is the text part; the HTML part if there is no other. Which error tells of the daily quota is unconfirmed:
    it goes by "LimitExceededException" here, and clients do well to look at the message (SES-QUO-5).
    """
    destination = params["Destination"]
    content = params["Content"]["Simple"]
    body = content["Body"]
    if not body:
        raise ServiceError(SES.missing.code, SES.missing.text.format("Content.Simple.Body.Text"))
    email = Email(
        to=destination.get("ToAddresses", ()),
        cc=destination.get("CcAddresses", ()),
        bcc=destination.get("BccAddresses", ()),
        sender=params["FromEmailAddress"],
        subject=content["Subject"]["Data"],
        body=(body.get("Text") or body["Html"])["Data"],
    )
    try:
        return {"MessageId": account.outbox.send_email(email, now)}
    except Throttled as error:
        if account.outbox.refusal == OVER_DAILY_QUOTA:
            raise ServiceError("LimitExceededException", str(error)) from error
        raise


def get_account(account: Account, _: Mapping[str, Any], now: float) -> dict[str, Any]:
    """What the account may send, and what it has sent (SES-QUO-2, SES-QUO-3)."""
    live = account.outbox
    outbox = live.outbox
    quota = outbox.daily_quota
    return {
        "ProductionAccessEnabled": not outbox.sandbox,
        "SendQuota": {
            "Max24HourSend": UNLIMITED if quota == inf else float(quota),
            "MaxSendRate": UNLIMITED if outbox.send_rate is None else float(outbox.send_rate),
            "SentLast24Hours": float(live.sent_last_24_hours(now)),
        },
        "SendingEnabled": not live.paused,
    }


_DATA = Structure({"Data": TEXT}, {"Charset": TEXT})
"""A text; its charset is of no consequence where nothing is encoded."""

OPERATIONS: Mapping[str, Operation] = {
    "GetAccount": Operation(SES, get_account, Structure({})),
    "SendEmail": Operation(
        SES,
        send_email,
        Structure(
            {
                "FromEmailAddress": TEXT,
                "Destination": Structure(
                    {}, {"ToAddresses": ListOf(TEXT), "CcAddresses": ListOf(TEXT), "BccAddresses": ListOf(TEXT)}
                ),
                "Content": Structure(
                    {"Simple": Structure({"Subject": _DATA, "Body": Structure({}, {"Text": _DATA, "Html": _DATA})})}
                ),
            }
        ),
    ),
}
"""The operations by name."""
