"""The daily quota against its definition: an email counts until 24 hours after the second in which it was accepted."""

from math import nextafter

from hypothesis import given
from hypothesis import strategies as st

from msgsim.bus.mail import Email
from msgsim.bus.outbox import Outbox, SendingAccount

DAY = 86_400
SIMULATOR = "success@simulator.amazonses.com"


@given(data=st.data())
def test_the_window_holds_what_was_accepted_in_the_latest_86400_seconds(data: st.DataObject) -> None:
    quota = data.draw(st.integers(1, 80), label="quota")
    account = SendingAccount(Outbox(max_24_hour_send=quota))
    accepted: list[tuple[float, int]] = []
    now = 0.0
    for _ in range(data.draw(st.integers(1, 15), label="emails")):
        ends = [at // 1 + DAY for at, _ in accepted if at // 1 + DAY > now]
        steps = [now, now + data.draw(st.floats(0, 50_000), label="gap")]
        for end in ends:
            steps += [end, max(now, nextafter(end, 0))]
        now = data.draw(st.sampled_from(steps), label="now")
        real = data.draw(st.integers(0, 30), label="recipients")
        simulated = data.draw(st.integers(0 if real else 1, 5), label="at the simulator")
        used = sum(count for at, count in accepted if now < at // 1 + DAY)
        assert account.sent_last_24_hours(now) == used
        email = Email([*(f"a{n}@x.org" for n in range(real)), *[SIMULATOR] * simulated])
        account.look()
        sent = account.try_send(real + simulated, now, now, 0, email)
        assert sent == (used + real <= quota or not real)
        if sent:
            accepted.append((now, real))
        account.check()
