"""Sums of floats as `math.fsum` has them, to the last bit, but faster where numpy is loaded anyway.

What numpy adds up itself depends on the machine, which has wide registers or not. So each float is split into parts
that are multiples of one power of two, and small beside it: some thousand of them have a sum that is exact, in whatever
order. There are few such sums, and `fsum` adds them up. `benchmarks/studies.py` shows what it saves.
"""

import sys
from array import array
from math import frexp, fsum, ldexp

BITS = 13
"""The logarithm of how many parts are added up at once."""

WORTH_IT = 1_000
"""Fewer floats than this are added up sooner than numpy is asked."""

LARGE = 2.0**900
"""Beyond this the sums of parts might not fit a float."""


def exact_sum(values: "array[float]") -> float:
    """The sum of floats, rounded once: what `fsum` returns, or raises.

    >>> exact_sum(array("d", [1e16, 1.0, -1e16]))
    1.0
    """
    if len(values) < WORTH_IT or sys.modules.get("numpy") is None:
        return fsum(values)
    import numpy as np  # noqa: PLC0415 - it is loaded

    numbers = np.frombuffer(values)
    largest = max(float(numbers.max()), -float(numbers.min()))
    if not 0.0 < largest < LARGE:  # NaN included
        return fsum(values)
    sums = []
    for first in range(0, len(values), 1 << BITS):
        rest = numbers[first : first + (1 << BITS)]
        exponent = frexp(largest)[1]  # none is beyond 2 ** exponent
        while True:
            unit = ldexp(1.0, exponent + BITS)  # a float beside it is rounded to a multiple of 2 ** -53 of it
            parts = rest + unit
            parts -= unit
            sums.append(float(parts.sum()))
            rest = rest - parts
            if not rest.any():
                break
            exponent += BITS - 53
    return fsum(sums)
