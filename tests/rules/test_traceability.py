"""Every rule is held by a test or is listed with a reason; and the checker that says so."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.rules.traceability import (
    CATALOGUE,
    LONGEST,
    MOST_NOT_MODELLED,
    PAGE,
    REMAKE,
    ROOT,
    Catalogue,
    Mark,
    Rule,
    marks,
    page,
    problems,
    read,
)


@pytest.fixture(scope="module")
def found() -> list[Mark]:
    return marks()


def test_every_rule_has_a_test_or_a_reason(found: list[Mark]) -> None:
    wrong = list(problems(read(), found))
    assert not wrong, "\n" + "\n".join(wrong)


def test_the_page_is_what_the_catalogue_and_the_marks_say(found: list[Mark]) -> None:
    stale = (ROOT / PAGE).read_text(encoding="utf-8") != page(read(), found)
    assert not stale, f"{PAGE} is stale: run `{REMAKE}` and commit it"


# ---------------------------------------------------------------- the checker, on projects that are made up

A = Rule("It is so.", ["msgsim/a.py"])


def catalogue(
    rules: Mapping[str, Rule] | None = None,
    not_modelled: Mapping[str, str] | None = None,
    not_yet: tuple[str, ...] = (),
    later: tuple[str, ...] = (),
) -> Catalogue:
    return Catalogue({"A-1": A} if rules is None else rules, not_modelled or {}, not_yet, later)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project of one module, one test of A-1 and one rule."""
    for path, text in (
        ("msgsim/a.py", ""),
        ("tests/test_a.py", '@pytest.mark.rule("A-1")\ndef test_a(): ...\n'),
        (CATALOGUE.as_posix(), '[rules]\nA-1 = {says = "It is so.", where = ["msgsim/a.py"]}\n[not_modelled]\n'),
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    return tmp_path


def found_in(root: Path, text: str) -> list[tuple[str | None, str]]:
    (root / "tests/test_a.py").write_text(text, encoding="utf-8")
    return [(mark.rule, mark.test) for mark in marks(root)]


def test_a_project_that_is_in_order(root: Path) -> None:
    assert read(root) == catalogue()
    assert marks(root) == [Mark("A-1", "tests/test_a.py", "test_a")]
    assert list(problems(read(root), marks(root), root)) == []


def test_marks_are_found_wherever_pytest_finds_them(root: Path) -> None:
    text = """
import pytest
from pytest import mark

CASES = [pytest.param(1, marks=pytest.mark.rule("A-1")), pytest.param(2, marks=[pytest.mark.rule("A-2")])]
MORE: list[object] = [pytest.param(3, marks=mark.rule("A-3"))]

@pytest.mark.rule("A-4")
class TestA:
    @pytest.mark.rule("A-5")
    @pytest.mark.rule("A-6")
    @pytest.mark.parametrize("x", [pytest.param(1, marks=(pytest.mark.slow, pytest.mark.rule("A-7")))])
    async def test_a(self, x): ...

def test_b():
    cases = '@pytest.mark.rule("A-8")'
    other.rule("A-9"), pytest.mark.slow("A-10")
"""
    assert found_in(root, text) == [
        ("A-1", "CASES"),
        ("A-2", "CASES"),
        ("A-3", "MORE"),
        ("A-5", "TestA::test_a"),
        ("A-6", "TestA::test_a"),
        ("A-7", "TestA::test_a"),
        ("A-4", "TestA"),
    ]


@pytest.mark.parametrize("argument", ["RULE", '"A" "-" + "1"', 'f"A-{1}"', "", '"A-1", "A-2"'])
def test_an_id_is_written_out(root: Path, argument: str) -> None:
    assert found_in(root, f"@pytest.mark.rule({argument})\ndef test_a(): ...") == [(None, "test_a")]
    assert "tests/test_a.py::test_a: write the id of the rule out, as a text" in problems(
        catalogue(), marks(root), root
    )


def test_only_files_of_tests_hold_rules(root: Path) -> None:
    (root / "tests/test_a.py").rename(root / "tests/helpers.py")
    assert marks(root) == []


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        (
            catalogue({"A-1": A, "A-2": A}),
            'A-2 has no test: mark one with @pytest.mark.rule("A-2"), or say why in [not_modelled]',
        ),
        (
            catalogue({}),
            (
                "tests/test_a.py::test_a: there is no rule A-1: correct the mark, or add the rule to "
                "tests/rules/catalogue.toml"
            ),
        ),
        (
            catalogue(not_modelled={"A-1": "why"}),
            "A-1 is held by tests/test_a.py::test_a: remove A-1 from not_modelled, and say `where` it is modelled",
        ),
        (
            catalogue(not_yet=("A-1",)),
            "A-1 is held by tests/test_a.py::test_a: remove A-1 from not_yet, and say `where` it is modelled",
        ),
        (
            catalogue({"A-1": Rule("It is so.")}),
            "A-1 is held by tests/test_a.py::test_a: say `where` it is modelled",
        ),
        (
            catalogue({"A-1": Rule("It is so.", ["msgsim/a.py", "msgsim/b.py"])}),
            "A-1: there is no file msgsim/b.py: correct `where`",
        ),
        (
            catalogue({"A-1": Rule("x" * (LONGEST + 1), ["msgsim/a.py"])}),
            "A-1: say it in 110 characters, not 111",
        ),
        (
            catalogue(not_modelled={"B-1": "why"}),
            "there is no rule B-1: remove it from [not_modelled] or not_yet, or add it to [rules]",
        ),
        (
            catalogue(not_yet=("B-1",)),
            "there is no rule B-1: remove it from [not_modelled] or not_yet, or add it to [rules]",
        ),
        (
            catalogue({"A-1": A, "A-2": A}, {"A-2": "why"}, ("A-2",)),
            "A-2 is in not_modelled: remove A-2 from not_yet",
        ),
    ],
)
def test_each_problem_says_what_to_do(root: Path, changed: Catalogue, problem: str) -> None:
    assert list(problems(changed, marks(root), root)) == [problem]


@pytest.mark.parametrize(
    "changed",
    [
        catalogue({"A-1": A, "A-2": Rule("It was so.")}, {"A-2": "why"}),
        catalogue({"A-1": A, "A-2": Rule("It will be so.")}, not_yet=("A-2",)),
        catalogue({}, later=("B-", "A-")),
    ],
)
def test_what_is_listed_needs_no_test_and_what_comes_later_no_line(root: Path, changed: Catalogue) -> None:
    assert list(problems(changed, marks(root), root)) == []


def test_the_list_of_what_is_not_modelled_is_short(root: Path) -> None:
    for count, expected in ((20, []), (21, ["[not_modelled] has 21 rules: model some, 20 are the most"])):
        others = [f"A-{number}" for number in range(2, count + 2)]
        listed = catalogue({"A-1": A, **dict.fromkeys(others, A)}, dict.fromkeys(others, "why"))
        assert list(problems(listed, marks(root), root)) == expected
    assert MOST_NOT_MODELLED == 20


def test_the_page_shows_all_of_it() -> None:
    rules = {"A-1": A, "A-2": Rule("Not so."), "B-1": Rule("It will be so.")}
    found = [Mark("A-1", "tests/a/test_a.py", "test_a"), Mark("A-1", "tests/a/test_a.py", "TestB::test_b")]
    text = page(catalogue(rules, {"A-2": "of this"}, ("B-1",)), [*found, *found, Mark("A-1", "tests/test_c.py", "C")])
    expected = """\
| rule | what it says | modelled in | held by |
|---|---|---|---|
| A-1 | It is so. | [msgsim/a.py](../../msgsim/a.py) | [tests/a/test_a.py](../../tests/a/test_a.py) `test_a`, \
`TestB::test_b`<br>[tests/test_c.py](../../tests/test_c.py) `C` |
| A-2 | Not so. |  | not modelled, see below |

## B

| rule | what it says | modelled in | held by |
|---|---|---|---|
| B-1 | It will be so. |  | no test so far |

## Not modelled, because

- A-2: of this

## Without a test so far

B-1
"""
    assert text.partition("\n\n## A\n\n")[2] == expected
    assert "so far" not in page(catalogue(), found)
