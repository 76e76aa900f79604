"""The request surface of the services, pure too: `call` an operation of an `Account`; refusals are `ServiceError`."""

from msgsim.errors import ServiceError
from msgsim.service.account import Account
from msgsim.service.requests import call

__all__ = ["Account", "ServiceError", "call"]
