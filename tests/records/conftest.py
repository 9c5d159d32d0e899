"""A run folder to write to, and its writer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from layertie_lab.core.config import RunConfig
from layertie_lab.records.directory import RunDirectory
from layertie_lab.records.log.writer import EventWriter


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[RunDirectory]:
    directory = RunDirectory.create(tmp_path / "run", RunConfig.preset("tiny"))
    yield directory
    directory.unlock()


@pytest.fixture
def writer(directory: RunDirectory) -> Iterator[EventWriter]:
    writer = EventWriter(directory)
    yield writer
    writer.close()
