"""`python -m stack`: the command line, as `./confeitaria` starts it."""

import sys

from stack.cli.main import main

sys.exit(main())
