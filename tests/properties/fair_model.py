"""An independent model of a fair queue: slow, and written from the rules (SQS-FAIR-2 ... SQS-FAIR-5).

It keeps every interval that a message was in flight, and adds them up anew whenever somebody asks.
"""

from dataclasses import dataclass, field
from math import floor, inf

IDLE = 300.0


@dataclass
class Kept:
    """A message: where it stands, and when it was in flight."""

    number: int
    group: str | None
    place: float
    shows: float
    receives: int = 0
    deadline: float = 0.0
    flights: list[tuple[float, float]] = field(default_factory=list)
    gone: bool = False

    def flying(self, now: float) -> bool:
        return bool(self.flights) and self.flights[-1][1] > now

    def waiting(self, now: float) -> bool:
        return not self.gone and self.shows <= now and not self.flying(now)

    @property
    def tenant(self) -> str | int | None:
        """Its group; without one itself, once it was received: before, nothing can make it noisy."""
        if self.group is not None:
            return self.group
        return self.number if self.receives else None


class FairModel:
    """A standard queue with tenants.

    Args:
        window: what counts as recent [s].
        most: receives that a message gets; the next attempt removes it.
    """

    def __init__(self, window: float, most: float = inf) -> None:
        self.window = window
        self.most = most
        self.kept: dict[int, Kept] = {}
        self.began = inf
        self.dead: list[int] = []

    # ---------------------------------------------------------------- what happens

    def send(self, group: str | None, now: float, delay: float = 0.0) -> None:
        number = len(self.kept) + 1
        self.kept[number] = Kept(number, group, now, now + delay)
        if group is not None:
            self.began = min(self.began, now)

    def receive(self, now: float, limit: int, timeout: float) -> list[int]:
        self.settle(now)
        noisy = self.noisy(now) if self.began < inf else set()
        batch: list[int] = []
        while len(batch) < limit:
            waiting = [kept for kept in self.kept.values() if kept.waiting(now)]
            quiet = [kept for kept in waiting if kept.tenant not in noisy]
            if not waiting:
                break
            if quiet:
                chosen = min(quiet, key=lambda kept: (kept.place, kept.number))
            else:
                chosen = min(waiting, key=lambda kept: (self.in_flight(kept.tenant, now), *self.head(kept, waiting)))
            if chosen.receives >= self.most:
                chosen.gone = True
                self.dead.append(chosen.number)
                continue
            chosen.receives += 1
            chosen.flights.append((now, now + timeout))
            batch.append(chosen.number)
        return batch

    def delete(self, number: int, now: float) -> None:
        self.settle(now)
        kept = self.kept[number]
        self._land(kept, now)
        kept.gone = True

    def change(self, number: int, timeout: float, now: float) -> None:
        """Of a message that is in flight."""
        self.settle(now)
        kept = self.kept[number]
        if timeout:
            kept.flights[-1] = (kept.flights[-1][0], now + timeout)
        else:
            self._land(kept, now)
            self._put_back(kept, now)

    def settle(self, now: float) -> None:
        for kept in self.kept.values():
            if not kept.gone and kept.flights and kept.flights[-1][1] <= now:
                self._put_back(kept, kept.flights[-1][1])

    def _land(self, kept: Kept, now: float) -> None:
        if kept.flying(now):
            kept.flights[-1] = (kept.flights[-1][0], now)

    def _put_back(self, kept: Kept, at: float) -> None:
        if kept.receives >= 3:
            kept.place = at

    # ---------------------------------------------------------------- who is noisy

    def head(self, kept: Kept, waiting: list[Kept]) -> tuple[float, int, float, int]:
        """Where the first of its tenant stands, and itself."""
        first = min((each.place, each.number) for each in waiting if each.tenant == kept.tenant)
        return (*first, kept.place, kept.number)

    def in_flight(self, tenant: object, now: float) -> int:
        return sum(kept.flying(now) and not kept.gone for kept in self.of(tenant))

    def of(self, tenant: object) -> list[Kept]:
        return [kept for kept in self.kept.values() if kept.tenant == tenant]

    def noisy(self, now: float) -> set[object]:
        """The tenants that are noisy at `now`."""
        everybody = list(self.kept.values())
        flying = sum(kept.flying(now) and not kept.gone for kept in everybody)
        worked = self.recent(everybody, now)
        found: set[object] = set()
        for tenant in {kept.tenant for kept in everybody if kept.waiting(now)} - {None}:
            own = self.of(tenant)
            mine = self.in_flight(tenant, now)
            ends = [end for kept in own for start, end in kept.flights]
            active = mine > 0 or (bool(ends) and now - max(ends) < IDLE)
            if (mine >= 30 and mine > 0.1 * flying) or (self.recent(own, now) > 0.1 * worked and active):
                found.add(tenant)
        return found

    def recent(self, messages: list[Kept], now: float) -> float:
        """Time in flight of some messages in the window of `now`, and in the one before as far as it still counts."""
        start = floor(now / self.window) * self.window
        fading = (start + self.window - now) / self.window
        return self.time(messages, start, now) + fading * self.time(messages, start - self.window, start)

    def time(self, messages: list[Kept], start: float, end: float) -> float:
        flights = [flight for kept in messages for flight in kept.flights]
        start = max(start, self.began)
        return sum(max(0.0, min(end, landing) - max(start, departure)) for departure, landing in flights)
