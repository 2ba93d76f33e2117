"""How every minisam picture looks: one colour per method, direct labels, no pyplot state.

    with style():
        fig, ax = canvas(7, 4)
        ax.plot(x, y, color=METHOD_COLORS["sam"])
        label(ax, x[-1], y[-1], "SAM", METHOD_COLORS["sam"])
        save(fig, "out/sam.png")

The palette is Okabe and Ito's (2008), made to be told apart with colour-blind eyes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

METHOD_COLORS = {
    "sgd": "#7F7F7F",
    "sam": "#0072B2",
    "asam": "#CC79A7",
    "fisher": "#56B4E9",
    "vasso": "#009E73",
    "friendly": "#E69F00",
    "sparse": "#8C613C",
    "info": "#D55E00",
}
METHOD_NAMES = {
    "sgd": "SGD",
    "sam": "SAM",
    "asam": "ASAM",
    "fisher": "FisherSAM",
    "vasso": "VaSSO",
    "friendly": "FriendlySAM",
    "sparse": "SparseSAM",
    "info": "InfoSAM",
}
INK = "#1A1A1A"  # text, and every line that is theory rather than measurement
MUTED = "#8A8A8A"  # annotations, guides
ACCENT = "#5E3C99"  # what is measured but is no row of the table

_RC: Any = {
    "font.size": 12,
    "axes.titlesize": 15,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 12,
    "axes.labelsize": 13,
    "xtick.labelsize": 11.5,
    "ytick.labelsize": 11.5,
    "legend.fontsize": 11.5,
    "legend.frameon": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#4D4D4D",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "axes.axisbelow": True,
    "lines.linewidth": 2.2,
    "lines.solid_capstyle": "round",
    "figure.constrained_layout.use": True,
    "figure.dpi": 100,
    "savefig.dpi": 160,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw, and save, inside this context."""
    import matplotlib

    with matplotlib.rc_context(_RC):
        yield


def canvas(width: float, height: float, rows: int = 1, columns: int = 1, **kwargs: Any) -> Any:
    """Return ``(figure, axes)`` as ``pyplot.subplots`` does, but without pyplot's global state."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(width, height))
    return fig, fig.subplots(rows, columns, **kwargs)


def label(
    ax: Any,
    x: float,
    y: float,
    text: str,
    color: str = INK,
    dx: float = 6,
    dy: float = 0,
    **kwargs: Any,
) -> None:
    """Write ``text`` beside the data point (x, y), ``dx`` and ``dy`` points away."""
    at = {"ha": "left" if dx >= 0 else "right", "va": "center"} | kwargs
    ax.annotate(text, (x, y), (dx, dy), textcoords="offset points", color=color, **at)


def save(fig: Any, path: str | Path) -> Path:
    """Write ``fig`` as a PNG, making its folder, and return the path."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(path)
    return path
