"""Filter policies, interpreted as they are written: slow, and without a thought of how they are compiled."""

import fnmatch
import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any

_COMPARE = {"=": (0,), "<": (-1,), "<=": (-1, 0), ">": (1,), ">=": (1, 0)}


def passes_attributes(policy: dict[str, Any], attributes: dict[str, Any] | None) -> bool:
    """Whether a message with these attributes passes."""
    seen = {name: value for name, value in (attributes or {}).items() if not isinstance(value, bytes)}
    if not policy:
        return True
    if not seen:
        return False

    def look(path: tuple[str, ...]) -> tuple[bool, list[Any]]:
        (name,) = path
        if name not in seen:
            return False, []
        value = seen[name]
        return True, list(value) if isinstance(value, (list, tuple)) else [value]

    return _policy(policy, (), look)


def passes_body(policy: dict[str, Any], body: Any) -> bool:
    """Whether a message with this body passes."""
    if not policy:
        return True
    if not isinstance(body, dict):
        return False
    leaves = list(_leaves(body, ()))

    def look(path: tuple[str, ...]) -> tuple[bool, list[Any]]:
        wanted = ".".join(path)
        values = [value for at, value in leaves if ".".join(at) == wanted]
        return bool(values), values

    return _policy(policy, (), look)


def _leaves(node: Any, at: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _leaves(value, (*at, key))
    elif isinstance(node, list):
        for member in node:
            yield from _leaves(member, at)
    else:
        yield at, node


def _policy(policy: dict[str, Any], path: tuple[str, ...], look: Any) -> bool:
    for key, wanted in policy.items():
        if isinstance(wanted, dict):
            holds = _policy(wanted, (*path, key), look)
        elif key == "$or" and _is_or(wanted):
            holds = any(_policy(branch, path, look) for branch in wanted)
        else:
            there, values = look((*path, key))
            holds = any(_element(element, there, values) for element in wanted)
        if not holds:
            return False
    return True


def _is_or(wanted: list[Any]) -> bool:
    reserved = ["prefix", "suffix", "equals-ignore-case", "wildcard", "anything-but", "numeric", "exists", "cidr"]
    return len(wanted) >= 2 and all(isinstance(each, dict) and not set(each) & set(reserved) for each in wanted)


def _element(element: Any, there: bool, values: list[Any]) -> bool:
    if isinstance(element, dict) and "exists" in element:
        return there is element["exists"]
    return any(_matches(element, value) for value in values if not isinstance(value, (list, dict, bytes)))


def _kind(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return "flag"
    return "number" if isinstance(value, (int, float)) else "text"


def _matches(element: Any, value: Any) -> bool:
    if not isinstance(element, dict):
        same = element is value if _kind(element) == "flag" else element == value
        return _kind(element) == _kind(value) and same
    ((name, operand),) = element.items()
    if name == "anything-but":
        if isinstance(operand, dict):
            ((inner, pattern),) = operand.items()
            patterns = pattern if isinstance(pattern, list) else [pattern]
            return not any(_matches({inner: each}, value) for each in patterns)
        return not any(_matches(each, value) for each in (operand if isinstance(operand, list) else [operand]))
    if name == "numeric":
        if _kind(value) != "number":
            return False
        pairs = zip(operand[::2], operand[1::2], strict=True)
        return all((value > bound) - (value < bound) in _COMPARE[sign] for sign, bound in pairs)
    return _kind(value) == "text" and _matches_text(name, operand, value)


def _matches_text(name: str, operand: str, value: str) -> bool:
    if name == "prefix":
        return value[: len(operand)] == operand
    if name == "suffix":
        return not operand or value[-len(operand) :] == operand
    if name == "equals-ignore-case":
        return operand.lower() == value.lower()
    if name == "wildcard":
        expression = ".*".join(re.escape(part) for part in operand.split("*"))
        assert (
            "[" in operand
            or "?" in operand
            or bool(re.fullmatch(expression, value, re.DOTALL)) is bool(fnmatch.fnmatchcase(value, operand))
        )
        return re.fullmatch(expression, value, re.DOTALL) is not None
    try:
        return ip_address(value) in ip_network(operand, strict=False)
    except ValueError:
        return False
