"""The tree of errors."""

import copy
import inspect
import pickle
import re

import pytest

from msgsim import errors
from msgsim.errors import (
    AuditError,
    BusError,
    DeclarationError,
    MissingExtra,
    MsgsimError,
    ServiceError,
    TimeRanAhead,
    TimeRanBackwards,
    TraceError,
    UnknownName,
    no_such,
)

CLASSES = {name: kind for name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, MsgsimError)}

MADE = {
    "DeclarationError": DeclarationError("queues.a.delay", "1000 is not allowed"),
    "TraceError": TraceError("a.csv", "row 3: no number"),
    "MissingExtra": MissingExtra("pandas", "pandas"),
    "ServiceError": ServiceError("OverLimit", "too many", 403),
}


def drawn() -> dict[str, tuple[str | None, str | None]]:
    """The tree in the docstring: for each class its parent there and the builtin in brackets."""
    assert errors.__doc__ is not None
    tree: dict[str, tuple[str | None, str | None]] = {}
    parents: dict[int, str] = {}
    for line in errors.__doc__.split("```")[1].strip().splitlines():
        found = re.fullmatch(r"([│├└─ ]*)(\w+)(?: \((\w+)\))?(?:  +.*)?", line)
        assert found, line
        depth = len(found[1]) // 4
        parents[depth] = found[2]
        tree[found[2]] = (parents[depth - 1] if depth else None, found[3])
    return tree


def test_the_drawing_is_the_tree() -> None:
    tree = drawn()
    assert set(tree) == set(CLASSES)
    for name, (parent, builtin) in tree.items():
        bases = {base.__name__ for base in CLASSES[name].__bases__}
        assert bases == ({parent, builtin} - {None} if parent else {"Exception"})


@pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)
def test_each_says_when_it_is_raised(kind: type[MsgsimError]) -> None:
    assert kind.__doc__


@pytest.mark.parametrize("name", CLASSES)
def test_each_survives_pickling_and_copying(name: str) -> None:
    error = MADE.get(name) or CLASSES[name]("words")
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301 - our own
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert vars(again) == vars(error)


def test_refusals_of_the_bus_are_one_family() -> None:
    family = {name for name, kind in CLASSES.items() if issubclass(kind, BusError)}
    assert {"InvalidParameterValue", "OverLimit", "Throttled", "SendingPaused"} <= family
    assert "ServiceError" not in family


def test_a_declaration_error_has_a_path_and_a_problem() -> None:
    error = DeclarationError("queues.a.delay", "1000 is not allowed")
    assert (error.path, error.problem) == ("queues.a.delay", "1000 is not allowed")
    assert str(error) == "queues.a.delay: 1000 is not allowed"
    assert str(DeclarationError("", "empty file")) == "empty file"


def test_a_missing_extra_says_what_to_install() -> None:
    error = MissingExtra("matplotlib", "plot")
    assert (error.package, error.extra) == ("matplotlib", "plot")
    assert str(error) == "this needs matplotlib, which is not installed: pip install 'msgsim[plot]'"


def test_a_service_error_has_code_message_and_status() -> None:
    error = ServiceError("InvalidParameterValue", "Value 11 is invalid.")
    assert (error.code, error.message, error.status) == ("InvalidParameterValue", "Value 11 is invalid.", 400)
    assert str(error) == "InvalidParameterValue (400): Value 11 is invalid."
    assert error.shape == "InvalidParameterValue"
    assert ServiceError("QueueAlreadyExists", "There is one.", shape="QueueNameExists").shape == "QueueNameExists"


def test_time_ran_backwards_names_who_noticed_and_both_times() -> None:
    assert str(TimeRanBackwards.at("q", 1.5, 2.0)) == (
        "q: time can't go backwards: now=1.5 is earlier than the last call's 2.0"
    )


def test_time_ran_ahead_names_who_noticed_and_both_times() -> None:
    assert str(TimeRanAhead.at("q", 2.5, 2.0)) == (
        "q: now=2.5 is in the future; the simulation is at 2.0: run it until then first"
    )


def test_builtin_handlers_still_work() -> None:
    with pytest.raises(ValueError, match="nope"):
        raise DeclarationError("", "nope")
    with pytest.raises(AssertionError):
        raise AuditError
    with pytest.raises(LookupError):
        raise UnknownName


class TestNoSuch:
    def test_names_the_nearest_and_all_that_exist(self) -> None:
        assert no_such("queue", "emial", ["emails", "audit"]) == (
            "no queue named 'emial'; did you mean 'emails'? declared: audit, emails"
        )

    def test_without_a_near_one(self) -> None:
        assert no_such("queue", "x", ["emails"]) == "no queue named 'x'; declared: emails"

    def test_without_any(self) -> None:
        assert no_such("queue", 7, []) == "no queue named 7; declared: none"

    def test_is_what_an_unknown_name_says(self) -> None:
        assert str(UnknownName.among("queue", "x", ["a"])) == no_such("queue", "x", ["a"])


def test_a_value_that_is_quoted_at_length_is_cut_short() -> None:
    error = errors.DeclarationError("x" * 1_000, "y" * 1_000 + "\nz")
    assert (len(error.path), len(error.problem)) == (400, 402)
    assert error.problem == "y" * 198 + " ... " + "y" * 197 + "\nz"
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert str(again) == str(error)
    assert len(str(errors.UnknownName.among("queue", "x" * 100_000, ["a"]))) == 400
    assert str(errors.DeclarationError("", "y" * 400)) == "y" * 400


def test_every_error_can_be_printed() -> None:
    error = errors.InvalidParameterValue("Value \ud800 for parameter MessageGroupId is invalid.")
    assert str(error) == r"Value \ud800 for parameter MessageGroupId is invalid."
    assert str(error).encode("utf-8")
