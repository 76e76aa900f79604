"""Faults are plain data, and say what cannot be."""

import pickle

import pytest

from msgsim.errors import DeclarationError
from msgsim.testing import Fault


def test_a_fault_compares_and_pickles() -> None:
    fault = Fault(kind="outage", at=5, duration=10)
    assert pickle.loads(pickle.dumps(fault)) == fault  # noqa: S301 - our own bytes
    assert fault != Fault(kind="outage", at=5)


def test_what_a_fault_cannot_be() -> None:
    with pytest.raises(DeclarationError, match=r"Fault.kind: 'flood' is not allowed; allowed: crash, duplicate, red"):
        Fault(kind="flood")
    with pytest.raises(DeclarationError, match=r"Fault.duration: 3.0 is for outages; 'crash' has none"):
        Fault(duration=3)
