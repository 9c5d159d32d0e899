"""One recorded run that all of this room's tests look at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from layertie_lab.core.config import RunConfig
from layertie_lab.session.session import Session
from layertie_lab.workers.inspector import Inspector

DECISIONS = 12


@pytest.fixture(scope="session")
def config(text_file: Path) -> RunConfig:
    return RunConfig.preset("tiny", corpus=str(text_file), decisions=DECISIONS, seed=3, checkpoint_seconds=0.0)


@pytest.fixture(scope="session")
def recorded(config: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recorded") / "run"
    with Session(config, directory=path) as session:
        session.run()
    return path


@pytest.fixture
def inspector() -> Iterator[Inspector]:
    inspector = Inspector()
    yield inspector
    inspector.close()
