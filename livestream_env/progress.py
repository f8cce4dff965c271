"""How far a long command is: a bar in a terminal or a notebook, elsewhere lines with an ETA."""

from __future__ import annotations

import math
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any, Self

FIRST_LINE_S = 5.0  # what ends earlier needs no line
LINE_EVERY_S = 30.0


class Progress:
    """Counts up to ``total`` and shows it on stderr; use it as a context.

    A bar (tqdm's) draws over itself, which in a log file is one long line. So where stderr is
    neither a terminal nor a notebook, a line is written after :data:`FIRST_LINE_S`, the next ones
    every :data:`LINE_EVERY_S`, and a last one if there was any.

    Args:
        total: What it counts up to.
        desc: What is being done.
        unit: Of the counts, in the plural: ``"viewers"``.
        initial: What was done before, in another run; the ETA does not count it.
        show: Nothing is written otherwise.
        leave: Leave the full bar in the terminal.
        seconds_left: How long the rest takes, for who knows it better than the mean rate does.
    """

    def __init__(
        self,
        total: float,
        desc: str = "",
        unit: str = "steps",
        *,
        initial: float = 0,
        show: bool = True,
        leave: bool = True,
        seconds_left: Callable[[], float] | None = None,
    ) -> None:
        self.total, self.desc, self.unit, self.n = total, desc, unit, initial
        self._initial, self._note, self._seconds_left = initial, "", seconds_left
        self._begun = time.monotonic()
        self._next_line = self._begun + FIRST_LINE_S if show else math.inf
        self._lines = 0
        self._bar: Any = None
        if show and (bar := _bar_class()) is not None:
            self._next_line = math.inf
            self._bar = bar(
                total=total,
                initial=initial,
                desc=desc or None,
                unit=f" {unit}",
                unit_scale=total >= 10_000,
                leave=leave,
            )

    def update(self, n: float = 1) -> None:
        """So many more are done."""
        self.n += n
        if self._bar is not None:
            if self._seconds_left is not None:  # the bar's own estimate goes by the mean rate
                self.note(f"about {duration(self._seconds_left())} left")
            self._bar.update(n)
        elif time.monotonic() >= self._next_line:
            self._write_line()

    def reach(self, n: float) -> None:
        """So many are done in all."""
        self.update(n - self.n)

    def from_here(self) -> Callable[[float], None]:
        """What calls :meth:`reach` with its argument more than was done by now."""
        before = self.n
        return lambda done: self.reach(before + done)

    def describe(self, desc: str) -> None:
        """Say what is being done now."""
        self.desc = desc
        if self._bar is not None:
            self._bar.set_description(desc)

    def note(self, text: str) -> None:
        """What stands at the end of the bar or line: a score so far."""
        self._note = text
        if self._bar is not None:
            self._bar.set_postfix_str(text, refresh=False)

    def write(self, text: str) -> None:
        """A line by itself, above a bar, on stderr."""
        if self._bar is not None:
            self._bar.write(text, file=sys.stderr)
        elif self._next_line < math.inf:
            print(text, file=sys.stderr, flush=True)

    def seconds_left(self) -> float:
        """About how long the rest takes, infinity if that is unknown yet."""
        if self._seconds_left is not None:
            return self._seconds_left()
        done = self.n - self._initial
        passed_s = time.monotonic() - self._begun
        return passed_s * max(self.total - self.n, 0.0) / done if done > 0 else math.inf

    def close(self) -> None:
        """Leave the bar; say how long it took, if lines were written."""
        if self._bar is not None:
            self._bar.close()
        elif self._lines:
            self._write(f"{self._count()} in {duration(time.monotonic() - self._begun)}")
        self._next_line, self._lines = math.inf, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _count(self) -> str:
        share = f" ({math.floor(100 * self.n / self.total)} %)" if self.total else ""
        return f"{_number(self.n)} of {_number(self.total)} {self.unit}{share}"

    def _write_line(self) -> None:
        left = self.seconds_left()
        eta = f", about {duration(left)} left" if left < math.inf else ""
        self._write(self._count() + eta)
        self._lines += 1
        self._next_line = time.monotonic() + LINE_EVERY_S

    def _write(self, text: str) -> None:
        desc = f"{self.desc}: " if self.desc else ""
        note = f", {self._note}" if self._note else ""
        print(f"{desc}{text}{note}", file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """A duration in a unit that suits it: "40 s", "12 min", "2.5 h"."""
    if seconds < 90:
        return f"{max(seconds, 0):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _number(n: float) -> str:
    return f"{n:,.0f}"


def _bar_class() -> Any:
    """The bar for where stderr goes to; ``None``: there is no place for one, or no tqdm."""
    try:
        if sys.stderr.isatty():
            from tqdm import tqdm

            return tqdm
        if "IPython" in sys.modules:  # a notebook is no terminal, and has bars of its own
            with warnings.catch_warnings():
                # Without ipywidgets tqdm warns that its bar is text; then there are lines here.
                warnings.simplefilter("ignore")
                from tqdm.auto import notebook_tqdm
                from tqdm.auto import tqdm as auto
            from tqdm.std import tqdm as text

            return auto if notebook_tqdm is not text else None
    except (ImportError, AttributeError, ValueError):  # no tqdm; stderr is None, or closed
        pass
    return None
