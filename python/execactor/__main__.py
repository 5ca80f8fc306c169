"""`python -m execactor` is the command `execactor`."""

import sys

from execactor.service.cli import main

if __name__ == "__main__":
    sys.exit(main())
