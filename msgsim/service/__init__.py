"""The request surface of the services, pure too: `call` an operation of an `Account`; refusals are `ServiceError`.

Parameters and answers are those of the services, by their own names; each call says what time it is.

>>> account = Account()
>>> url = call(account, "CreateQueue", {"QueueName": "orders"}, 0)["QueueUrl"]
>>> _ = call(account, "SendMessage", {"QueueUrl": url, "MessageBody": "order 1"}, 1)
>>> [message] = call(account, "ReceiveMessage", {"QueueUrl": url}, 2)["Messages"]
>>> message["Body"]
'order 1'
>>> call(account, "DeleteMessage", {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}, 3)
{}
>>> call(account, "SendMessage", {"QueueUrl": url, "MessageBody": ""}, 4)
Traceback (most recent call last):
    ...
msgsim.errors.ServiceError: MissingParameter (400): The request must contain the parameter MessageBody.
"""

from msgsim.errors import ServiceError
from msgsim.service.account import Account
from msgsim.service.requests import call

__all__ = ["Account", "ServiceError", "call"]
