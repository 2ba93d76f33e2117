"""Classic bugs of the SAM family, each a small diff of a correct row, and the laws that see it.

>>> from minisam.laws.bugs import BUGS
>>> print(BUGS[0].diff)                     # what is wrong, as a diff of the correct row
>>> print(BUGS[0].source)                   # the whole wrong file, to hand out and hunt in
>>> step = BUGS[0].factory(rho=0.1, lr=0.1)  # and it runs

A bug that no law sees would be a hole in the laws; a law that sees no bug would be idle.
"""

from .catalogue import BUGS, Bug
from .correct import CLAIM

__all__ = ["BUGS", "CLAIM", "Bug"]
