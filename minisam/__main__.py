"""``python -m minisam`` is the command ``minisam``."""

import sys

from minisam.cli import main

sys.exit(main())
