"""Where in a policy's text something is."""

import pytest

from msgsim.bus.policies import Trail
from msgsim.bus.policy_source import source_of


@pytest.mark.rule("SNS-FLT-10")
@pytest.mark.parametrize(
    ("text", "trail", "line", "column"),
    [
        ('{"k": "a"}', ("k",), 1, 10),
        ('{"k": "a"}', (), 1, 11),
        ('{"j": [1, [2, {"x": "}"}]], "k": ["a", {"prefix": 1}]}', ("k", 1, "prefix"), 1, 52),
        ('{\n  "a\\u0062": [ "x" , [] ]\n}', ("ab", 1), 2, 24),
        ('{"k": "a", "k": "bcd"}', ("k",), 1, 22),
        ('{"k": []}', ("k", 0), 1, 9),
        ('{"k": "a"}', ("k", 0), 1, 10),
        ('  {"k": {}}', ("k", "j"), 1, 11),
    ],
)
def test_the_column_after_the_thing(text: str, trail: Trail, line: int, column: int) -> None:
    assert source_of(text, trail) == f'\n at [Source: (String)"{text}"; line: {line}, column: {column}]'
