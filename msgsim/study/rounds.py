"""Rounds: a value gets more replications for as long as they can't tell, and how sure each look at it must be.

Who looks at an interval, takes more values and looks again until it says something, is wrong more often than a single
interval: of three looks at 95 % each, one leaves the truth out in 12 of 100 cases, and not in 5. So the error is split:
of k possible looks each is at 1 - (1 - confidence) / k. By Bonferroni's inequality all of them hold together as often
as `confidence` says, and with them the one at which it stops, however the looks depend on each other.
"""

from msgsim.declare import as_int, check_number

TIMES = 4
"""So many times the first replications a value gets at most, if nothing else is said: three looks."""


def rounds(first: int, most: int | None = None) -> tuple[int, ...]:
    """How many replications a value has after each round: twice as many each time, up to the most.

    >>> rounds(10), rounds(10, 25), rounds(10, 10)
    ((10, 20, 40), (10, 20, 25), (10,))

    Args:
        first: replications of the first round, 2 or more.
        most: of the last one, at least `first`; None for four times as many.

    Raises:
        DeclarationError: an argument is not allowed.
    """
    check_number("replications", first, low=2, integer=True, rule="one has no interval")
    first = as_int(first)
    if most is None:
        most = TIMES * first
    check_number("most", most, low=first, integer=True, rule="at least as many as replications")
    most = as_int(most)
    sizes = [first]
    while sizes[-1] < most:
        sizes.append(min(2 * sizes[-1], most))
    return tuple(sizes)


def of_each(confidence: float, looks: int) -> float:
    """How sure each of some looks must be, such that all of them are right as often as `confidence` says.

    >>> of_each(0.95, 1), round(of_each(0.95, 3), 4)
    (0.95, 0.9833)
    """
    return confidence if looks == 1 else 1 - (1 - confidence) / looks
