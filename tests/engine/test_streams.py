"""Random streams: the same wherever they are made, and no two alike."""

import os
import subprocess
import sys
from itertools import product

import pytest

from msgsim.engine.streams import stream


def test_a_stream_is_the_same_on_every_machine() -> None:
    rng = stream(7, "mailers", "service")
    assert [rng.random() for _ in range(3)] == [0.16947214482372774, 0.447343752136794, 0.28582798727969094]


def test_a_stream_does_not_depend_on_the_hash_seed() -> None:
    program = "from msgsim.engine.streams import stream; print(stream(7, 'mailers', 'service', 2).random())"
    printed = {
        subprocess.run(  # noqa: S603 - this very interpreter
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for seed in ("0", "1")
    }
    assert printed == {repr(stream(7, "mailers", "service", 2).random())}


def test_no_two_streams_are_alike() -> None:
    names = list(product((0, 1, 11), ("a", "b", "a/b"), ("service", "failure"), (0, 1, 11)))
    firsts = {stream(seed, name, purpose, replication).random() for seed, name, purpose, replication in names}
    assert len(firsts) == len(names)


def test_streams_look_uniform_and_independent() -> None:
    one, other = stream(1, "a", "service"), stream(1, "a", "failure")
    draws = [(one.random(), other.random()) for _ in range(20_000)]
    assert sum(left for left, _ in draws) / len(draws) == pytest.approx(0.5, abs=0.01)
    product_mean = sum((left - 0.5) * (right - 0.5) for left, right in draws) / len(draws)
    assert product_mean == pytest.approx(0.0, abs=4 * (1 / 12) / len(draws) ** 0.5)
