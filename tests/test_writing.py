import os
import stat
from pathlib import Path
from threading import Thread

import pytest

from msgsim.writing import write_whole

TEXT = "größer\nals ein Byte\n"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def permissions(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_text_is_written_in_utf_8_with_its_own_line_ends(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    write_whole(target, TEXT)
    assert target.read_bytes() == TEXT.encode()
    assert permissions(target) == 0o644
    write_whole(str(target), "again\r\n")
    assert target.read_bytes() == b"again\r\n"
    assert names(tmp_path) == ["a.json"]


def test_a_file_keeps_its_permissions(tmp_path: Path) -> None:
    target = tmp_path / "secret"
    target.touch()
    target.chmod(0o600)
    write_whole(target, TEXT)
    assert permissions(target) == 0o600


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "real", tmp_path / "link"
    link.symlink_to(target)
    for text in ("first", "second"):
        write_whole(link, text)
        assert link.is_symlink()
        assert target.read_text() == text


def test_a_text_that_cannot_be_encoded_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_text("before")
    with pytest.raises(UnicodeEncodeError):
        write_whole(target, "half of it \ud800")
    assert target.read_text() == "before"
    assert names(tmp_path) == ["a"]


def test_a_file_that_cannot_be_put_in_its_place_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: Path, _target: Path) -> Path:
        raise PermissionError

    target = tmp_path / "a"
    target.write_text("before")
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(PermissionError):
        write_whole(target, TEXT)
    assert target.read_text() == "before"
    assert names(tmp_path) == ["a"]


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match=tmp_path.name):
        write_whole(tmp_path, TEXT)
    assert names(tmp_path) == []


@pytest.mark.parametrize("parent", ["nowhere", "file"])
def test_a_directory_that_does_not_exist_is_named(tmp_path: Path, parent: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileNotFoundError, match=f"no such directory: '.*{parent}'$"):
        write_whole(tmp_path / parent / "a.json", TEXT)


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    seen: list[bytes] = []
    reader = Thread(target=lambda: seen.append(pipe.read_bytes()))
    reader.start()
    write_whole(pipe, TEXT)
    reader.join()
    assert seen == [TEXT.encode()]
    assert pipe.is_fifo()
