"""SNS: text messages."""

import json

import pytest

from msgsim.bus.sms import SmsSender
from tests.service.topics import ARN, DAY, TopicClient

NUMBER = "+14255550123"
OTHER = "+15550199"


@pytest.mark.rule("SNS-PUB-1")
@pytest.mark.rule("SNS-SMS-1")
def test_a_telephone_number_may_be_the_target() -> None:
    client = TopicClient()
    ids = {client("Publish", PhoneNumber=NUMBER, Message="a" * 161)["MessageId"] for _ in range(2)}
    assert (len(ids), client.account.sms.parts_sent) == (2, 4)
    text = "Invalid parameter: PhoneNumber Reason: 425 is not valid to publish to"
    assert client.refusal("Publish", PhoneNumber="425", Message="x") == ("InvalidParameter", text, 400)
    text = "Invalid parameter: TopicArn or TargetArn Reason: only one of them may be given"
    assert client.refusal("Publish", PhoneNumber=NUMBER, TopicArn=ARN, Message="x") == ("InvalidParameter", text, 400)


@pytest.mark.rule("SNS-SMS-2")
def test_attributes() -> None:
    client = TopicClient()
    assert client("GetSMSAttributes") == {"attributes": {"DefaultSMSType": "Promotional"}}
    client("SetSMSAttributes", attributes={"DefaultSMSType": "Transactional", "MonthlySpendLimit": "2.5"})
    client("SetSMSAttributes", attributes={})
    both = {"DefaultSMSType": "Transactional", "MonthlySpendLimit": "2.5"}
    assert client("GetSMSAttributes") == {"attributes": both}
    assert client("GetSMSAttributes", attributes=["MonthlySpendLimit"]) == {"attributes": {"MonthlySpendLimit": "2.5"}}
    for name, value, text in (
        ("Beauty", "1", "Beauty is not modelled; allowed: DefaultSMSType, DefaultSenderID, MonthlySpendLimit"),
        ("DefaultSMSType", "x", "DefaultSMSType x; allowed: Promotional, Transactional"),
        ("MonthlySpendLimit", "x", "MonthlySpendLimit x; allowed: an amount of US dollars"),
        ("MonthlySpendLimit", "nan", "MonthlySpendLimit nan; allowed: an amount of US dollars"),
    ):
        refusal = client.refusal("SetSMSAttributes", attributes={"DefaultSMSType": "Promotional", name: value})
        assert refusal == ("InvalidParameter", f"Invalid parameter: attributes Reason: {text}", 400)
    assert client("GetSMSAttributes") == {"attributes": both}


SENDER_REFUSED = "allowed: 1 to 11 letters and digits, a letter among them"


@pytest.mark.rule("SNS-SMS-2")
@pytest.mark.parametrize("given", ["", "A" * 12, "123", "A b", "A-b", "\u00e9", "A\n"])
def test_a_sender_that_cannot_be_is_refused(given: str) -> None:
    client = TopicClient()
    refusal = client.refusal("SetSMSAttributes", attributes={"DefaultSenderID": given})
    text = f"Invalid parameter: attributes Reason: DefaultSenderID {given}; {SENDER_REFUSED}"
    assert refusal == ("InvalidParameter", text, 400)
    attributes = {"AWS.SNS.SMS.SenderID": {"DataType": "String", "StringValue": given}}
    client.refusal("Publish", PhoneNumber=NUMBER, Message="x", MessageAttributes=attributes)
    assert client.account.sms.parts_sent == 0


@pytest.mark.rule("SNS-SMS-2")
def test_a_message_has_a_type_and_a_sender_of_its_own() -> None:
    client = TopicClient()
    for sender in ("A", "1a", "A" * 11):
        client("SetSMSAttributes", attributes={"DefaultSenderID": sender})
        assert client("GetSMSAttributes", attributes=["DefaultSenderID"]) == {"attributes": {"DefaultSenderID": sender}}
    given = {"AWS.SNS.SMS.SMSType": "Transactional", "AWS.SNS.SMS.SenderID": "Shop1"}
    attributes = {name: {"DataType": "String", "StringValue": value} for name, value in given.items()}
    client("Publish", PhoneNumber=NUMBER, Message="x", MessageAttributes=attributes)
    assert client.account.sms.parts_sent == 1
    attributes["AWS.SNS.SMS.SMSType"]["StringValue"] = "Urgent"
    refusal = client.refusal("Publish", PhoneNumber=NUMBER, Message="x", MessageAttributes=attributes)
    text = "MessageAttributes Reason: AWS.SNS.SMS.SMSType Urgent; allowed: Promotional, Transactional"
    assert refusal == ("InvalidParameter", f"Invalid parameter: {text}", 400)
    attributes = {".": {"DataType": "String", "StringValue": "x"}}
    code, *_ = client.refusal("Publish", PhoneNumber=NUMBER, Message="x", MessageAttributes=attributes)
    assert code == "ParameterValueInvalid"


@pytest.mark.rule("SNS-SMS-2")
def test_numbers_that_opted_out() -> None:
    client = TopicClient()
    client.account.sms.opt_out(NUMBER, 0)
    assert client("ListPhoneNumbersOptedOut") == {"phoneNumbers": [NUMBER]}
    assert client("CheckIfPhoneNumberIsOptedOut", phoneNumber=NUMBER) == {"isOptedOut": True}
    client("OptInPhoneNumber", phoneNumber=NUMBER)
    assert client("CheckIfPhoneNumberIsOptedOut", phoneNumber=NUMBER) == {"isOptedOut": False}
    assert client.refusal("CheckIfPhoneNumberIsOptedOut", phoneNumber="x")[0] == "InvalidParameter"


@pytest.mark.rule("SNS-SMS-2")
def test_the_sandbox() -> None:
    client = TopicClient(sms=SmsSender(sandbox=True))
    assert client("GetSMSSandboxAccountStatus") == {"IsInSandbox": True}
    client("CreateSMSSandboxPhoneNumber", PhoneNumber=NUMBER, LanguageCode="en-US")
    assert client("ListSMSSandboxPhoneNumbers") == {"PhoneNumbers": [{"PhoneNumber": NUMBER, "Status": "Pending"}]}
    code = client.account.sms.codes[NUMBER]
    client("VerifySMSSandboxPhoneNumber", PhoneNumber=NUMBER, OneTimePassword=code)
    assert client("ListSMSSandboxPhoneNumbers") == {"PhoneNumbers": [{"PhoneNumber": NUMBER, "Status": "Verified"}]}
    client("DeleteSMSSandboxPhoneNumber", DAY, PhoneNumber=NUMBER)
    gone = ("ResourceNotFound", "The phone number is not in the sandbox", 404)
    assert client.refusal("DeleteSMSSandboxPhoneNumber", DAY, PhoneNumber=NUMBER) == gone
    verify = {"PhoneNumber": NUMBER, "OneTimePassword": code}
    assert client.refusal("VerifySMSSandboxPhoneNumber", DAY, **verify) == gone


@pytest.mark.rule("SNS-SMS-1")
@pytest.mark.rule("SNS-SMS-2")
def test_what_a_topic_sends_to_numbers_is_billed_and_withheld_like_any_text() -> None:
    client = TopicClient(sms=SmsSender(price=0.01, monthly_spend_limit=0.03))
    client.subscribe("sms", NUMBER)
    client.subscribe("sms", OTHER, FilterPolicy='{"k": ["a"]}')
    sender = client.account.sms
    client.publish("x" * 161)
    assert (sender.parts_sent, sender.spent(0), dict(sender.outcomes)) == (2, 0.02, {"delivered": 1})
    sender.opt_out(OTHER, 0)
    attributes = {"k": {"DataType": "String", "StringValue": "a"}}
    client.publish("x", MessageAttributes=attributes, MessageGroupId="g")
    client.publish("x")
    assert dict(sender.outcomes) == {"delivered": 2, "opted out": 1, "over the spend limit": 1}
    assert [each.delivered for each in client.topic.subscriptions.values()] == [3, 1]
    client.topic.check()


@pytest.mark.rule("SNS-SMS-1")
@pytest.mark.rule("SNS-PUB-4")
def test_numbers_get_their_own_text_of_a_message_with_several() -> None:
    client = TopicClient()
    client.subscribe("sms", NUMBER)
    client.publish(json.dumps({"default": "x" * 161, "sms": "short"}), MessageStructure="json")
    assert client.account.sms.parts_sent == 1
    client.publish("x" * 1_601)
    client.publish(json.dumps({"default": "d", "sms": ""}), MessageStructure="json")
    client.publish("x" * 1_600)
    assert client.account.sms.outcomes["refused"] == 2
    assert client.account.sms.parts_sent == 11
    (received,) = client.topic.subscriptions[NUMBER].received
    assert received.body == "x" * 1_600
