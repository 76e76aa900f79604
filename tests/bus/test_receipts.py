"""Receipt handles and deliveries."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgsim.bus.message import GroupedMessage, Message, format_id, id_base
from msgsim.bus.receipts import Delivery, Receipt, read_handle, write_handle
from msgsim.errors import ReceiptHandleIsInvalid

BASE = id_base("q")
HANDLE = write_handle(BASE, Receipt(BASE + 1, 3, 2.5))


class TestHandle:
    @pytest.mark.rule("SQS-VIS-5")
    @given(st.integers(0, 2**32 - 1), st.integers(1, 10**6), st.floats(allow_nan=False))
    def test_says_what_was_written(self, number: int, count: int, received_at: float) -> None:
        receipt = Receipt(BASE + number, count, received_at)
        handle = write_handle(BASE, receipt)
        assert read_handle(BASE, handle) == receipt
        assert len(handle) <= 1_024

    @pytest.mark.rule("SQS-VIS-5")
    def test_differs_by_message_receive_and_time(self) -> None:
        receipts = [(1, 1, 0.0), (2, 1, 0.0), (1, 2, 0.0), (1, 1, 1.0)]
        assert len({write_handle(BASE, Receipt(*each)) for each in receipts}) == 4

    @pytest.mark.rule("SQS-VIS-9")
    @pytest.mark.parametrize(
        "handle",
        [
            "",
            "garbage",
            "garbage" * 10,
            HANDLE[:-1],
            HANDLE[:38],
            "x" + HANDLE[1:],
            HANDLE[:8] + "?" + HANDLE[9:],
            HANDLE[:23] + "  " + HANDLE[25:],
            HANDLE[:23] + "é" + HANDLE[24:],
            HANDLE[:-1] + "z",
            None,
            7,
            HANDLE.encode(),
        ],
    )
    def test_garbage_is_refused(self, handle: object) -> None:
        with pytest.raises(ReceiptHandleIsInvalid) as raised:
            read_handle(BASE, handle)
        assert str(raised.value) == f'The input receipt handle "{handle}" is not a valid receipt handle.'

    @pytest.mark.rule("SQS-VIS-9")
    def test_of_another_queue_is_refused(self) -> None:
        with pytest.raises(ReceiptHandleIsInvalid):
            read_handle(id_base("other"), HANDLE)

    @pytest.mark.rule("SQS-VIS-9")
    @given(st.integers(0, len(HANDLE) - 1), st.characters())
    def test_with_another_character_is_another_receipt_or_none(self, position: int, character: str) -> None:
        try:
            receipt = read_handle(BASE, HANDLE[:position] + character + HANDLE[position + 1 :])
        except ReceiptHandleIsInvalid:
            return
        assert isinstance(receipt, Receipt)

    @pytest.mark.rule("SQS-VIS-9")
    @given(st.text(max_size=60))
    def test_any_other_text_is_refused(self, text: str) -> None:
        with pytest.raises(ReceiptHandleIsInvalid):
            read_handle(BASE, text)


class TestDelivery:
    def test_shows_its_message(self) -> None:
        message = Message()
        message.content = "hello"
        message.attributes = None
        message.number = BASE + 1
        message.arrived_at, message.first_received_at = 3, 5
        message.origin, message.origin_at = 77, 2
        message.receive_count = 2
        delivery = Delivery(message, HANDLE)
        assert (delivery.body, delivery.attributes, delivery.message_id) == ("hello", {}, format_id(BASE + 1))
        assert (delivery.sent_at, delivery.first_received_at, delivery.receive_count) == (3, 5, 2)
        assert (delivery.origin_id, delivery.origin_at, delivery.group_id) == (77, 2, None)
        assert (delivery.message, delivery.receipt_handle) == (message, HANDLE)
        assert repr(delivery) == f"<Delivery {delivery.message_id} receive_count=2>"
        message.receive_count = 3
        assert delivery.receive_count == 2

    def test_shows_attributes_and_group(self) -> None:
        message = GroupedMessage()
        message.receive_count = 1
        message.attributes = {"kind": "placed"}
        message.group_id = "tenant"
        delivery = Delivery(message, HANDLE)
        assert (delivery.attributes, delivery.group_id) == ({"kind": "placed"}, "tenant")

    def test_a_receive_may_have_been_at_any_time(self) -> None:
        assert read_handle(BASE, write_handle(BASE, Receipt(BASE, 1, inf))).received_at == inf
