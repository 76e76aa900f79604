"""SES: what an account may send, and its standing."""

from collections.abc import Mapping
from math import inf
from typing import Any

from msgsim.service.account import Account

UNLIMITED = -1.0
"""How an account without a quota says so (SES-QUO-3)."""


def get_account(account: Account, _: Mapping[str, Any], now: float) -> dict[str, Any]:
    """What the account may send, what it has sent, and its standing (SES-QUO-2, SES-QUO-3, SES-REP-3)."""
    live = account.outbox
    quota, rate = live.daily_quota, live.send_rate
    return {
        "EnforcementStatus": live.status(now),
        "ProductionAccessEnabled": not live.outbox.sandbox,
        "SendQuota": {
            "Max24HourSend": UNLIMITED if quota == inf else float(quota),
            "MaxSendRate": UNLIMITED if rate is None else float(rate),
            "SentLast24Hours": float(live.sent_last_24_hours(now)),
        },
        "SendingEnabled": not live.is_paused(now),
        "SuppressionAttributes": {"SuppressedReasons": list(live.suppressed_reasons)},
    }


def put_account_sending_attributes(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Pause all sending, or let it go on (SES-REP-3)."""
    if params.get("SendingEnabled", False):
        account.outbox.resume(now)
    else:
        account.outbox.pause(now)
    return {}
