"""Messages, their ids, and bodies that are built when they are read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msgsim.bus.message import EPOCH, GONE, VISIBLE, GroupedMessage, Message, RedrivenMessage, format_id, id_base


def test_time_0_is_new_year_2026() -> None:
    from datetime import UTC, datetime

    assert datetime.fromtimestamp(EPOCH, UTC) == datetime(2026, 1, 1, tzinfo=UTC)


def test_visible_is_always_due_and_gone_never() -> None:
    assert VISIBLE < -1e300 < 1e300 < GONE


class TestIds:
    def test_have_the_shape_of_a_uuid(self) -> None:
        from uuid import UUID

        text = format_id(id_base("emails") + 1)
        assert str(UUID(text)) == text
        assert UUID(text).version == 4

    def test_are_the_same_on_every_machine(self) -> None:
        assert format_id(id_base("emails") + 1) == "57751185-611d-4c36-8a54-e7f5117977ce"

    @given(st.text(), st.integers(1, 2**32 - 1))
    def test_of_a_component_leave_room_for_its_counter(self, name: str, number: int) -> None:
        base = id_base(name)
        assert base % 2**32 == 0
        assert 0 <= base < 2**60
        assert (base + number) >> 32 == base >> 32

    def test_of_two_components_do_not_meet(self) -> None:
        bases = {id_base(f"queue-{number}") for number in range(1_000)}
        assert len(bases) == 1_000

    def test_of_a_thousand_messages_differ(self) -> None:
        base = id_base("q")
        assert len({format_id(base + number) for number in range(1_000)}) == 1_000


class TestMessage:
    def make(self) -> Message:
        message = Message()
        message.number = id_base("q") + 1
        message.arrived_at = 2.5
        message.origin = None
        message.origin_at = 2.5
        message.content = "hello"
        message.attributes = None
        message.receive_count = 3
        return message

    def test_has_its_text(self) -> None:
        assert self.make().body == "hello"

    def test_renders_its_content_when_it_is_read(self) -> None:
        class Count:
            calls = 0

            def render(self, message: Message) -> str:
                self.calls += 1
                return f"{self.calls} {message.arrived_at}"

        message = self.make()
        message.content = Count()
        assert [message.body, message.body] == ["1 2.5", "2 2.5"]

    def test_is_its_own_origin_unless_it_has_another(self) -> None:
        message = self.make()
        assert message.origin_id == message.number
        message.origin = 7
        assert message.origin_id == 7

    def test_shows_id_and_time(self) -> None:
        message = self.make()
        assert repr(message) == f"<Message {format_id(message.number)} sent_at=2.5>"

    @pytest.mark.rule("SQS-RET-2")
    def test_that_was_redriven_was_sent_when_it_was_sent_first(self) -> None:
        moved = RedrivenMessage(self.make(), "source", 10.0)
        assert (moved.sent_at, moved.arrived_at) == (2.5, 10.0)
        assert repr(moved).startswith("<RedrivenMessage ")

    def test_that_was_redriven_is_the_same_message_with_its_receives(self) -> None:
        message = GroupedMessage()
        for name in ("number", "content", "attributes", "origin", "origin_at", "arrived_at", "receive_count"):
            setattr(message, name, getattr(self.make(), name))
        message.group_id = "tenant"
        moved = RedrivenMessage(message, "source", 10.0)
        assert (moved.message_id, moved.body, moved.group_id) == (message.message_id, "hello", "tenant")
        assert (moved.source, moved.receive_count, moved.receives_here) == ("source", 3, 0)

    @pytest.mark.parametrize("kind", [Message, GroupedMessage])
    def test_has_slots_only(self, kind: type[Message]) -> None:
        with pytest.raises(AttributeError):
            kind().colour = "red"  # type: ignore[attr-defined]
