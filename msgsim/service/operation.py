"""One operation of a service: its parameters, what it does, and how the bus's refusals go over the wire."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import attrs

from msgsim.errors import BusError, ServiceError
from msgsim.service.account import Account
from msgsim.service.parameters import Missing, Structure

Perform: TypeAlias = Callable[[Account, Mapping[str, Any], float], dict[str, Any]]
"""What an operation does with checked parameters at a time [s]; returns its answer."""


@attrs.frozen
class Service:
    """What the operations of a service have in common.

    Attributes:
        missing: how it refuses a request that lacks a parameter.
        codes: wire code and HTTP status of a refusal by the bus; others go by their own names, with status 400
            (GEN-2, GEN-3).
        shapes: names in the service's model of errors that have another code (GEN-2).
    """

    missing: Missing
    codes: Mapping[type[BusError], tuple[str, int]]
    shapes: Mapping[str, str] = attrs.field(factory=dict)

    def error(self, code: str, text: str, status: int = 400) -> ServiceError:
        """A refusal by its code."""
        return ServiceError(code, text, status, self.shapes.get(code, ""))

    def refusal(self, error: BusError) -> ServiceError:
        """A refusal by the bus as it goes over the wire."""
        code, status = self.codes.get(type(error), (type(error).__name__, 400))
        return self.error(code, str(error), status)


@attrs.frozen
class Operation:
    """An operation.

    Attributes:
        service: that it belongs to.
        perform: what it does.
        parameters: what it takes.
    """

    service: Service
    perform: Perform
    parameters: Structure

    def call(self, account: Account, params: Mapping[str, Any], now: float) -> dict[str, Any]:
        """Check the parameters, do what is due by `now` [s], and perform it.

        Raises:
            ServiceError: refused.
            TimeRanBackwards: `now` is earlier than at the last call.
        """
        self.parameters.check("", params, self.service.missing)
        account.advance(now)
        try:
            return self.perform(account, params, now)
        except BusError as error:
            raise self.service.refusal(error) from error
