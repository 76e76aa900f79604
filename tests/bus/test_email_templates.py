"""Templates of emails, filled and not to be filled."""

import json
from typing import Any

import pytest

from msgsim.bus.configuration_set import ConfigurationSet
from msgsim.bus.email_templates import EmailTemplate, TemplatedEmail
from msgsim.bus.emails import Email
from msgsim.bus.outbox import Outbox, SendingAccount
from msgsim.errors import DeclarationError, RenderingFailure


def filled(source: str, data: dict[str, Any]) -> str:
    return EmailTemplate(text=source).render(data).text


@pytest.mark.rule("SES-SND-6")
@pytest.mark.parametrize(
    ("source", "data", "text"),
    [
        ("", {}, ""),
        ("no braces {here}", {}, "no braces {here}"),
        ("Hi {{name}}!", {"name": "Ann"}, "Hi Ann!"),
        ("{{ name }}{{! said }}{{{name}}}", {"name": "<b>"}, "<b><b>"),
        ("{{a.b.1.c}}", {"a": {"b": [0, {"c": 5}]}}, "5"),
        ("{{a}} {{b}} {{c}} {{d}} {{e}}", {"a": 1.0, "b": 1.5, "c": True, "d": None, "e": ["ü"]}, '1 1.5 true  ["ü"]'),
        ("{{#if x}}yes{{else}}no{{/if}}", {"x": 1}, "yes"),
        ("{{#if x}}yes{{else}}no{{/if}}", {"x": []}, "no"),
        ("{{#if x.y}}yes{{/if}}", {}, ""),
        ("{{#each l}}{{@index}}{{n}}{{o}} {{/each}}", {"l": [{"n": "a"}, {"n": "b"}], "o": "!"}, "0a! 1b! "),
        ("{{#each l}}{{this}},{{/each}}", {"l": {"a": 1, "b": 2}}, "1,2,"),
        ("{{#each l}}x{{else}}none{{/each}}", {"l": []}, "none"),
        (
            "{{#each l}}{{#if this.a}}{{#each this.a}}{{this}}{{/each}}{{else}}-{{/if}}{{/each}}",
            {"l": [{"a": [1]}, {}]},
            "1-",
        ),
        ("{{#if a}}{{else}}{{#if b}}b{{/if}}{{/if}}", {"a": 0, "b": 1}, "b"),
    ],
)
def test_what_it_becomes(source: str, data: dict[str, Any], text: str) -> None:
    assert filled(source, data) == text


def test_what_json_does_not_have_is_written_as_its_text() -> None:
    assert filled("{{a}}", {"a": {"b": Email}}) == json.dumps({"b": str(Email)})


def test_html_is_escaped_text_is_not() -> None:
    template = EmailTemplate(subject="{{a}}", text="{{a}}", html="{{a}}{{{a}}}")
    assert template.render({"a": "<&"}) == ("<&", "<&", "&lt;&amp;<&")
    assert EmailTemplate(html="{{a}}", escape=False).render({"a": "<"}).html == "<"


@pytest.mark.rule("SES-SND-6")
@pytest.mark.parametrize(
    ("source", "data", "text"),
    [
        ("{{x}}", {}, "Attribute 'x' is not present in the rendering data."),
        ("{{a.x}}", {"a": {}}, "Attribute 'a.x' is not present in the rendering data."),
        ("{{a.2}}", {"a": [1]}, "Attribute 'a.2' is not present in the rendering data."),
        ("{{#each x}}{{/each}}", {}, "Attribute 'x' is not present in the rendering data."),
        ("{{#each x}}{{/each}}", {"x": "text"}, "Attribute 'x' is not a list in the rendering data."),
    ],
)
def test_what_is_missing_is_named(source: str, data: dict[str, Any], text: str) -> None:
    with pytest.raises(RenderingFailure) as caught:
        filled(source, data)
    assert str(caught.value) == text


@pytest.mark.rule("SES-QUO-8")
@pytest.mark.parametrize(
    "source",
    [
        "{{#each l}}" * 8 + "x" * 100 + "{{/each}}" * 8,
        "{{#each l}}{{big}}{{/each}}",
    ],
)
def test_a_bomb_is_stopped(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("msgsim.bus.email_templates.MESSAGE_BYTES", EMAILS_OF_10_KB)
    with pytest.raises(RenderingFailure, match="The rendered email is larger than 10000 bytes"):
        filled(source, {"l": list(range(50)), "big": "x" * 1_000})


@pytest.mark.rule("SES-QUO-8")
@pytest.mark.parametrize("inner", ["", "{{this}}"])
def test_a_bomb_that_puts_out_little_is_stopped_before_it_takes_minutes(inner: str) -> None:
    with pytest.raises(RenderingFailure, match="takes more than 200000 pieces of its template"):
        filled("{{#each l}}" * 8 + inner + "{{/each}}" * 8, {"l": list(range(50))})


def test_each_email_may_take_as_many_steps_and_not_one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("msgsim.bus.email_templates.MOST_STEPS", 7)
    template = EmailTemplate(subject="{{s}}", text="{{#each l}}{{this}}{{/each}}!")  # 1, 1 + 2 per member, 1
    assert template.render({"s": "a", "l": [1, 2]}).text == "12!"
    with pytest.raises(RenderingFailure, match="takes more than 7 pieces"):
        template.render({"s": "a", "l": [1, 2, 3]})


class _Limit:
    high = 10_000.0


EMAILS_OF_10_KB = _Limit()


def test_a_subject_of_several_lines_is_a_failure() -> None:
    with pytest.raises(RenderingFailure, match="line break"):
        EmailTemplate(subject="Hi {{name}}").render({"name": "Ann\nBcc: eve@x.org"})


@pytest.mark.parametrize(
    "source",
    [
        "{{#each l}}",
        "{{/each}}",
        "{{else}}",
        "{{#if a}}{{else}}{{else}}{{/if}}",
        "{{#if a}}{{/each}}",
        "{{#unless a}}{{/unless}}",
        "{{#if}}{{/if}}",
        "{{#if a}}{{{else}}}{{/if}}",
        "{{{#if a}}}{{/if}}",
        "{{a b}}",
        "{{}}",
        "{{> partial}}",
        "{{#if a}}" * 21 + "{{/if}}" * 21,
    ],
)
def test_what_is_no_template_is_refused(source: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        EmailTemplate(html=source)
    assert caught.value.path == "EmailTemplate.html"


def test_a_template_is_text_of_500_kb_at_most() -> None:
    with pytest.raises(DeclarationError, match=r"EmailTemplate\.text: 5 is not a text"):
        EmailTemplate(text=5)  # type: ignore[arg-type]
    with pytest.raises(DeclarationError, match=r"EmailTemplate\.subject: None is not a text"):
        EmailTemplate(subject=None)  # type: ignore[arg-type]
    EmailTemplate(text="x" * 512_000)
    with pytest.raises(DeclarationError, match=r"512001 bytes; allowed: 512000 \(SES-QUO-8\)"):
        EmailTemplate(text="x" * 512_000, subject="x")


@pytest.mark.rule("SES-SND-6")
def test_an_email_that_cannot_be_rendered_is_accepted_and_lost() -> None:
    heard = []
    account = SendingAccount(Outbox(configuration_sets={"news": ConfigurationSet()}))
    account.on_event = lambda event, *_: heard.append((event.kind, dict(event.details)))
    template = EmailTemplate(subject="Hi {{name}}", text="{{body}}")
    fine = TemplatedEmail(template, {"name": "Ann", "body": "b"}, Email("ann@x.org"))
    lost = TemplatedEmail(template, {"name": "Bo"}, Email("bo@x.org"), "greeting")
    assert fine.addresses() == ("ann@x.org",)
    assert fine.render() == Email("ann@x.org", "Hi Ann", "b")
    assert fine.failure() is None
    assert lost.failure() == "Attribute 'body' is not present in the rendering data."
    for content in (fine, lost):
        assert account.try_send(1, 0.0, 0.0, 0, content)
    assert lost.unrendered() == Email("bo@x.org")
    kinds = [kind for kind, _ in heard]
    assert kinds == ["Send", "Delivery", "Rendering Failure"]
    assert heard[-1][1] == {
        "errorMessage": "Attribute 'body' is not present in the rendering data.",
        "templateName": "greeting",
    }
    assert [sent.email for sent in account.sent] == [fine.render()]
