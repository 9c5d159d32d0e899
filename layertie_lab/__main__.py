"""`python -m layertie_lab`: the command `layertie`, also where no scripts are on the path."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
