"""The rules of messages: pure state machines that take `now`."""
