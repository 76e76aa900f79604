"""`msgsim outbox`: the emails of a run as files."""

import mailbox
from pathlib import Path

import pytest

import msgsim as ms
from msgsim import cli

Capture = pytest.CaptureFixture[str]

SCENARIO = """
horizon = 60
[queues.q]
[outboxes.ses]
record_limit = 1
[traffic.t]
to = "q"
rate = {type = "constant", rate = 1}
process = "regular"
[workers.w]
queue = "q"
count = 1
service_time = {type = "fixed", value = 0.1}
on_success = [{type = "send-email", outbox = "ses", to = "c{n}@x.org", subject = "No {n}"}]
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "s.toml"
    path.write_text(SCENARIO)
    return str(path)


def complaint(capsys: Capture) -> str:
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert err.count("\n") == 1
    return err


def test_all_emails_are_written_however_few_the_scenario_keeps(file: str, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "out.mbox"
    assert cli.main(["outbox", file, "--output", str(path)]) == 0
    box = mailbox.mbox(path, create=False)
    subjects = [message["Subject"] for message in box]
    box.close()
    sim = ms.Simulation(ms.load(file).vary("outboxes.ses.record_limit", 1000), seed=0)
    sim.run(until=60)
    assert subjects == [sent.email.subject for sent in sim.outboxes["ses"].sent]
    assert len(sim.outboxes["ses"].search(subject="no 7")) == 1
    assert capsys.readouterr().out == f"{len(subjects)} of {len(subjects)} emails of ses written to {path}\n"


def test_some_of_them_as_a_maildir(file: str, tmp_path: Path, capsys: Capture) -> None:
    options = ["--until", "30", "--seed", "3", "--outbox", "ses", "--to", "c1*@x.org", "--subject", "no 1"]
    assert cli.main(["outbox", file, "--maildir", str(tmp_path / "m"), *options]) == 0
    assert len(list((tmp_path / "m" / "new").iterdir())) == int(capsys.readouterr().out.split()[0]) > 1
    assert cli.main(["outbox", file, "--maildir", str(tmp_path / "m"), "--limit", "2", "--force"]) == 0
    assert len(list((tmp_path / "m" / "new").iterdir())) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "give either --output FILE.mbox or --maildir FOLDER"),
        (["--output", "{}/a", "--maildir", "{}/b"], "give either"),
        (["--output", ""], "is not the path"),
        (["--output", "{}/s.toml", "--force"], "the scenario is read from there"),
        (["--output", "{}/there"], "is there already; --force replaces it"),
        (["--maildir", "{}/there", "--force"], "is not a Maildir"),
        (["--output", "{}/no/such"], "there is no such folder"),
        (["--output", "{}/a", "--outbox", "sess"], "did you mean 'ses'"),
        (["--output", "{}/a", "--limit", "0"], "--limit: 0 is not allowed"),
        (["--output", "{}/a", "--until", "soon"], "is not a duration"),
    ],
)
def test_bad_input_is_one_line(file: str, tmp_path: Path, capsys: Capture, options: list[str], words: str) -> None:
    (tmp_path / "there").write_text("precious")
    assert cli.main(["outbox", file, *(option.format(tmp_path) for option in options)]) == 2
    assert words in complaint(capsys)
    assert (tmp_path / "there").read_text() == "precious"


def test_a_scenario_without_an_outbox_has_no_emails(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "bare.toml"
    path.write_text("horizon = 60\n[queues.q]\n")
    assert cli.main(["outbox", str(path), "--output", str(tmp_path / "a")]) == 2
    assert "--outbox: say which; declared: none" in complaint(capsys)


def test_ctrl_c_writes_what_there_is(
    file: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli.outbox, "advance", lambda *_: False)
    assert cli.main(["outbox", file, "--output", str(tmp_path / "a")]) == 130
    assert "interrupted at" in complaint(capsys)
    assert (tmp_path / "a").read_bytes() == b""
