"""Without Hypothesis the kit says which extra brings it."""

import sys

import pytest

from msgsim.errors import MissingExtra


def test_the_kit_needs_hypothesis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    monkeypatch.delitem(sys.modules, "msgsim.testing", raising=False)
    with pytest.raises(MissingExtra, match=r"this needs Hypothesis, which is not installed: pip install 'msgsim\[tes"):
        import msgsim.testing  # noqa: F401
