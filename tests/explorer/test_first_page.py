"""What the first page costs: a reading group waits for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "data" / "examples"
PROGRAM = """
import sys
from pathlib import Path
from layertie_lab.explorer import Explorer
from layertie_lab.workers.worker import Worker
Worker.prepare = staticmethod(lambda: None)
made = Explorer(examples=Path(sys.argv[1]))
assert made.menu.current == "found-four-owners", made.menu.current
assert made.chart.panels and made.tabs["look-inside"].time.about
# The verdict of its study is worked out in a thread (scipy), while the page is there already.
print(*sorted({"torch", "captum", "transformers", "datasets"} & set(sys.modules)))
"""


def test_an_example_is_opened_without_torch(tmp_path: Path) -> None:
    environment = {**os.environ, "LAYERTIE_RUNS": str(tmp_path)}
    command = [sys.executable, "-c", PROGRAM, str(EXAMPLES)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
