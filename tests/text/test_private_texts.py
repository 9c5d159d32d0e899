"""What is made of a text that others may not read is for nobody else: in the cache, and in the run's folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from layertie_lab.core.config import RunConfig
from layertie_lab.records.directory import RunDirectory
from layertie_lab.text.corpora.files import is_private

pytestmark = pytest.mark.skipif(os.name == "nt", reason="permissions there are not in the mode")


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """A folder that everybody may enter, as are those above it in the eyes of what is tested."""
    folder = tmp_path / "texts"
    folder.mkdir(mode=0o755)
    for name in ("open.txt", "closed.txt"):
        (folder / name).write_text("text")
    (folder / "open.txt").chmod(0o644)
    (folder / "closed.txt").chmod(0o640)
    for above in (tmp_path, *tmp_path.parents):
        if above.name.startswith(("pytest-", "popen-", "test_")):
            above.chmod(0o755)
    return folder


def test_by_the_permissions_of_a_file_and_of_the_folders_above_it(texts: Path) -> None:
    assert not is_private(str(texts / "open.txt"))
    assert is_private(str(texts / "closed.txt"))
    assert is_private(str(texts))  # one of its files is
    (texts / "closed.txt").unlink()
    assert not is_private(str(texts))
    texts.chmod(0o750)
    assert is_private(str(texts / "open.txt"))
    texts.chmod(0o755)
    (texts / "link.txt").symlink_to(texts / "gone.txt")
    assert not is_private(str(texts))
    (texts / "loop.txt").symlink_to(texts / "loop.txt")
    assert not is_private(str(texts))


@pytest.mark.parametrize("private", [True, False])
def test_a_run_of_a_private_text_is_entered_by_nobody_else(tmp_path: Path, private: bool) -> None:
    before = os.umask(0o022)
    try:
        RunDirectory.create(tmp_path / "run", RunConfig.preset("tiny"), private=private).unlock()
    finally:
        os.umask(before)
    assert (tmp_path / "run").stat().st_mode & 0o777 == (0o700 if private else 0o755)
