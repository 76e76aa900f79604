# Hot path: a predicate runs at each publish whose attributes vary; benchmarks/filters.py counts its instructions.
"""Conditions compiled to predicates: of attributes, by source that is made for each policy; of bodies, by closures.

A predicate made of closures calls one function per key and one per element, which costs twice as much as a function
that was written by hand. So the predicates of attributes are functions that are generated, with the tests of texts and
numbers in place and one closure per key for the rest: arrays, flags, bytes, and values that came over the wire. No text
of a policy gets into the source: keys and operands are names there, of constants beside it. A body must be parsed
first, which costs much more than either.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from msgsim.bus.matches import Elements, compile_elements
from msgsim.bus.policies import Conditions, Either, Key

Predicate: TypeAlias = Callable[[Any], bool]
"""Whether a message passes: of its attributes (a mapping or None), or of its body as parsed by `parse_body`."""

ABSENT = object()
"""In place of the value of a key that is not there."""

_CLASSES = {"text": "is str", "number": "in NUMBERS"}


# ---------------------------------------------------------------- attributes


def on_attributes(conditions: Conditions) -> Predicate:
    """The predicate of conditions on attributes (SNS-FLT-5).

    Raises:
        PolicyRefusal: an element that is none.
    """
    source = _Source()
    body = source.body(conditions)
    nothing = "not a or only_binary(a)" if source.absent_will_do else "not a"
    source.functions.append(["def passes(a):", f"    if {nothing}:", "        return False", *body])
    names: dict[str, Any] = source.constants
    exec("\n".join(line for lines in source.functions for line in lines), names)  # noqa: S102 - see the docstring above
    return names["passes"]  # type: ignore[no-any-return]


def only_binary(attributes: Any) -> bool:
    """Whether all attributes are binary: those are ignored, so it is as if there were none (SNS-FLT-5)."""
    return all(isinstance(value, bytes) for value in attributes.values())


class _Source:
    """The functions of a policy as they are written, and their constants by name."""

    __slots__ = ("absent_will_do", "constants", "functions")

    def __init__(self) -> None:
        self.functions: list[list[str]] = []
        self.constants: dict[str, Any] = {
            "__builtins__": {"str": str},
            "ABSENT": ABSENT,
            "NUMBERS": (float, int),
            "only_binary": only_binary,
        }
        self.absent_will_do = False

    def body(self, conditions: Conditions) -> list[str]:
        """The lines that look at all conditions."""
        lines: list[str] = []
        for each in conditions:
            lines += self._either(each) if isinstance(each, Either) else self._key(each)
        return [*lines, "    return True"]

    def _name(self, constant: object) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = constant
        return name

    def _either(self, either: Either) -> list[str]:
        names = []
        for branch in either.branches:
            lines = self.body(branch)
            names.append(f"f{len(self.functions)}")
            self.functions.append([f"def {names[-1]}(a):", *lines])
        calls = " or ".join(f"{name}(a)" for name in names)
        return [f"    if not ({calls}):", "        return False"]

    def _key(self, key: Key) -> list[str]:
        elements = compile_elements(key)
        self.absent_will_do = self.absent_will_do or elements.absent
        lines = [f"    v = a.get({self._name(key.path)}, ABSENT)"]
        other = self._name(_on_any_value(elements))
        tests = {"text": [], "number": []} if elements.present else self._tests(elements)
        if tests["text"] and all(test.startswith("v == ") for test in tests["text"]) and not tests["number"]:
            # To compare is safe whatever the value is: most policies look at its class only if the message fails.
            unequal = " and ".join(test.replace("==", "!=") for test in tests["text"])
            return [*lines, f"    if {unequal} and (v.__class__ is str or not {other}(v)):", "        return False"]
        branch = "if"
        for kind, alternatives in tests.items():
            if alternatives:
                lines.append(f"    {branch} v.__class__ {_CLASSES[kind]}:")
                lines += [f"        if not ({' or '.join(alternatives)}):", "            return False"]
                branch = "elif"
        return [*lines, f"    {branch} not {other}(v):", "        return False"]

    def _tests(self, elements: Elements) -> dict[str, list[str]]:
        tests: dict[str, list[str]] = {"text": [], "number": []}
        for matcher in elements.matchers:
            name = self._name(matcher.constant)
            tests["text"] += [matcher.text.format(name)] if matcher.text else []
            tests["number"] += [matcher.number.format(name)] if matcher.number else []
        return tests


def _on_any_value(elements: Elements) -> Predicate:
    """Whether the value of an attribute, or `ABSENT`, satisfies some elements; of an array any member will do."""
    present, absent = elements.present, elements.absent

    def match(value: Any) -> bool:
        if value is ABSENT or isinstance(value, bytes):
            return absent
        if isinstance(value, (list, tuple)):
            return present or elements.satisfied_by(value)
        return elements.satisfied_by((value,))

    return match


# ---------------------------------------------------------------- bodies


def on_body(conditions: Conditions) -> Predicate:
    """The predicate of conditions on a body (SNS-FLT-6).

    Raises:
        PolicyRefusal: an element that is none.
    """
    holds = _all_hold(conditions)
    return lambda body: isinstance(body, dict) and holds(body)


def _all_hold(conditions: Conditions) -> Predicate:
    tests = tuple([_either(each) if isinstance(each, Either) else _on_path(each) for each in conditions])
    return lambda body: all(test(body) for test in tests)


def _either(either: Either) -> Predicate:
    branches = tuple([_all_hold(branch) for branch in either.branches])
    return lambda body: any(branch(body) for branch in branches)


def _on_path(key: Key) -> Predicate:
    elements = compile_elements(key)
    path, absent = key.path, elements.absent

    def test(body: dict[str, Any]) -> bool:
        values = _values(body, path)
        return elements.satisfied_by(values) if values else absent

    return test


def _values(body: dict[str, Any], path: str) -> Sequence[Any]:
    """All values at a path that are no objects; of arrays their members, however deep.

    A step is a key, which may have dots of its own: `a.b` is in `{"a.b": 1}` and in `{"a": {"b": 1}}`.
    """
    if "." not in path:
        return _members(body[path]) if path in body else []
    found: list[Any] = []
    waiting: list[tuple[Any, int]] = [(body, 0)]
    while waiting:
        node, at = waiting.pop()
        if isinstance(node, list):
            waiting += [(member, at) for member in node]
        elif isinstance(node, dict):
            for key, value in node.items():
                if path.startswith(key, at):
                    end = at + len(key)
                    if end == len(path):
                        found += _members(value)
                    elif path[end] == ".":
                        waiting.append((value, end + 1))
    return found


def _members(value: Any) -> Sequence[Any]:
    if not isinstance(value, list):
        return () if isinstance(value, dict) else (value,)
    found = []
    waiting: list[Any] = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting += each
        elif not isinstance(each, dict):
            found.append(each)
    return found
