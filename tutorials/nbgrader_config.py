"""nbgrader reads this in the course folder: students get the same stubs as from ``build.py``."""

import importlib.util
from pathlib import Path

from nbgrader.converters import GenerateAssignment
from nbgrader.preprocessors import ClearSolutions

_spec = importlib.util.spec_from_file_location("build", Path(__file__).with_name("build.py"))
build = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(build)


class NamedStubs(ClearSolutions):
    """Put ``NotImplementedError("exercise 3.2, eq. (7)")`` where a solution was."""

    def preprocess(self, nb, resources):
        return build.without_solutions(nb), resources


c = get_config()  # noqa: F821  (nbgrader defines it)
c.CourseDirectory.course_id = "minisam"
c.GenerateAssignment.preprocessors = [
    NamedStubs if step is ClearSolutions else step
    for step in GenerateAssignment.preprocessors.default()
]
c.Execute.timeout = 120  # seconds a cell; an endless loop is interrupted, the rest is graded
c.OverwriteCells.add_missing_cells = True  # a check that a student deleted comes back
