"""Operations: parameters are checked first, and the bus's refusals go by their wire codes."""

from collections.abc import Mapping
from typing import Any

import pytest

from msgsim.errors import BusError, InvalidParameterValue, OverLimit, ServiceError, TimeRanBackwards
from msgsim.service.account import Account
from msgsim.service.operation import Operation, Service
from msgsim.service.parameters import TEXT, Missing, Structure

SERVICE = Service(Missing("Missing", "no {}"), {OverLimit: ("Over.Limit", 403)})


def _operation(error: BusError | None = None) -> Operation:
    def perform(account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
        if error:
            raise error
        return {"Account": account.account_id, "Now": now, **params}

    return Operation(SERVICE, perform, Structure({"Text": TEXT}))


def test_an_operation_gets_account_parameters_and_time() -> None:
    assert _operation().call(Account(), {"Text": "x"}, 3) == {"Account": "123456789012", "Now": 3, "Text": "x"}


@pytest.mark.rule("GEN-3")
def test_a_refusal_by_the_bus_goes_by_its_wire_code_or_its_own_name() -> None:
    for error, expected in (
        (OverLimit("too many"), ("Over.Limit", "too many", 403)),
        (InvalidParameterValue("no"), ("InvalidParameterValue", "no", 400)),
    ):
        with pytest.raises(ServiceError) as caught:
            _operation(error).call(Account(), {"Text": "x"}, 0)
        assert (caught.value.code, caught.value.message, caught.value.status) == expected
        assert caught.value.__cause__ is error


def test_parameters_are_checked_before_anything_happens() -> None:
    account = Account()
    with pytest.raises(ServiceError, match="Missing"):
        _operation().call(account, {}, 7)
    _operation().call(account, {"Text": "x"}, 6)


def test_time_does_not_run_backwards() -> None:
    account = Account()
    _operation().call(account, {"Text": "x"}, 7)
    with pytest.raises(TimeRanBackwards):
        _operation().call(account, {"Text": "x"}, 6)
