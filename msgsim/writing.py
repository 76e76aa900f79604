"""Files that are written whole or not at all."""

from os import PathLike
from pathlib import Path
from tempfile import NamedTemporaryFile


def write_whole(path: "str | PathLike[str]", source: str) -> None:
    """Write a text in UTF-8; a reader never sees a part of it, and a failure leaves what was there before.

    Raises:
        OSError: the path cannot be written.
    """
    target = Path(path)
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
        if target.is_dir():
            raise IsADirectoryError(21, "is a directory", str(target))
        fresh.chmod(0o644)
        fresh.replace(target)
    except BaseException:
        fresh.unlink()
        raise
