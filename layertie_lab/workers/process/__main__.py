"""A child process: `python -m layertie_lab.workers.process [WHAT IT IS FOR]`. Started by `link`, not by hand."""

from __future__ import annotations

import atexit
import os
import sys

from .child import main

if __name__ == "__main__":
    exit_status = main()
    # All is saved. Taking an interpreter with torch apart takes longer (a second on a busy machine) than the parent's
    # end should be noticeable.
    atexit._run_exitfuncs()
    sys.stderr.flush()
    os._exit(exit_status)
