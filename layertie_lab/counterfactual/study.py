"""A study on disk (`records.studies`) with its spec: what is opened, listed and handed round."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Self

from ..core.errors import LayertieError, RecordError
from ..records.state.checkpoints import CheckpointInfo
from ..records.studies import StudyFolder
from .interim import plan_from
from .spec import Extension, StudySpec


class Study(StudyFolder):
    """A study's folder, and what was stated as a `StudySpec`."""

    @cached_property
    def spec(self) -> StudySpec:
        """What was stated, with what was added to it later."""
        spec = StudySpec.from_dict(self.statement)
        for added in self.extensions:
            extension = Extension(added["time"], spec.plan, added["first_replicate"])
            spec = replace(spec, plan=plan_from(added["looks"]), extensions=(*spec.extensions, extension))
        return spec

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """An existing study.

        Raises:
            RecordError: No study there, a damaged one, one whose statement was changed after it was made, or one that
                this version cannot read.
        """
        study = super().open(path)
        try:
            _ = study.spec  # read now, so that a bad one is refused here
        except LayertieError as error:
            raise RecordError(
                f"Expected a study in {path}, but it cannot be read. {error.message}", error.remedy
            ) from None
        return study

    @classmethod
    def write(cls, run: str | Path, spec: StudySpec, checkpoint: CheckpointInfo) -> Self:
        """Write a hypothesis down as it is, before its first replicate (`questions.state` checks it before).

        Args:
            run: The run directory; it may be training.
            spec: What is stated; its `first_replicate` is chosen here.
            checkpoint: The stored moment of the fork.

        Raises:
            RecordError: The spec is about another run or another moment.
            StorageError: The disk has no room for the study, or cannot be written.
        """
        return cls.state(run, spec.to_dict(), checkpoint)
