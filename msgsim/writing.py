"""Files that are written whole or not at all."""

from os import PathLike
from os.path import realpath
from pathlib import Path
from stat import S_IMODE
from tempfile import NamedTemporaryFile


def write_whole(path: "str | PathLike[str]", source: str) -> None:
    """Write a text in UTF-8; a reader never sees a part of it, and a failure leaves what was there before.

    A link is followed and a file keeps its permissions. What is no regular file, such as a pipe or `/dev/stdout`, is
    written to as it is.

    Raises:
        OSError: the path cannot be written.
    """
    target = Path(path)
    if target.is_dir():
        raise IsADirectoryError(21, "is a directory", str(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(2, "there is no such directory", str(target.parent))
    if target.exists() and not target.is_file():
        target.write_text(source, encoding="utf-8", newline="\n")
        return
    target = Path(realpath(path))
    mode = S_IMODE(target.stat().st_mode) if target.exists() else 0o644
    with NamedTemporaryFile(
        "w", encoding="utf-8", newline="\n", dir=target.parent, prefix=f".{target.name}-", delete=False
    ) as sink:
        fresh = Path(sink.name)
        try:
            sink.write(source)
        except BaseException:
            fresh.unlink()
            raise
    try:
        fresh.chmod(mode)
        fresh.replace(target)
    except BaseException:
        fresh.unlink()
        raise
