"""Profiles and scaling curves as one picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from htdemucs_n.plots import new_figure, save_figure
from htdemucs_n.profiling.attention import AttentionMeasurement
from htdemucs_n.profiling.lengths import LengthMeasurement
from htdemucs_n.profiling.profile import Profile

Point = tuple[str, float, float | None]
"""The name of a curve and a point of it; points without a value are left out."""


def save_picture(
    path: Path,
    profiles: Sequence[Profile] = (),
    lengths: Sequence[LengthMeasurement] = (),
    attention: Sequence[AttentionMeasurement] = (),
) -> None:
    """Draw what there is to a PNG: time by part, time and memory over the length, and over the number of tokens.

    The file appears under its name only when it is whole. Raises `UserError` where it can't be written.
    """
    panels: list[Callable[[Any], None]] = [partial(_draw_parts, profile=profile) for profile in profiles]
    if lengths:
        seconds = [(row.model, row.length, row.seconds) for row in lengths]
        memory = [(row.model, row.length, row.peak_rss_mib if row.gpu_mib is None else row.gpu_mib) for row in lengths]
        panels.append(partial(_draw_curves, points=seconds, x="song, s", y="time, s"))
        panels.append(partial(_draw_curves, points=memory, x="song, s", y="peak memory, MiB", log=False))
    if attention:
        seconds = [(row.attention, row.tokens, row.seconds) for row in attention]
        memory = [(row.attention, row.tokens, row.mib) for row in attention]
        panels.append(partial(_draw_curves, points=seconds, x="tokens", y="time of an attention layer, s"))
        panels.append(partial(_draw_curves, points=memory, x="tokens", y="memory of an attention layer, MiB"))
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure = new_figure(6.5 * columns, 4 * rows)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axis, draw in zip(axes, panels, strict=False):
        draw(axis)
    for axis in axes[len(panels) :]:
        axis.set_axis_off()
    save_figure(figure, path)


def _draw_parts(axis: Any, profile: Profile) -> None:
    """A bar a part, from the top down in the order of the model."""
    seconds = profile.figures.seconds_by_part
    axis.barh(list(seconds), [1e3 * value for value in seconds.values()])
    axis.invert_yaxis()
    axis.set(xlabel="time, ms", title=f"{profile.model}, {profile.device}, {profile.precision}")
    axis.grid(axis="x", alpha=0.3)


def _draw_curves(axis: Any, points: Iterable[Point], x: str, y: str, log: bool = True) -> None:
    """A line a name; on two logarithmic axes a power is a straight line and its exponent the slope."""
    curves: dict[str, list[tuple[float, float]]] = {}
    for name, across, up in points:
        curves.setdefault(name, []).extend([(across, up)] if up else [])
    for name, line in curves.items():
        if line:
            axis.plot(*zip(*sorted(line), strict=True), marker="o", label=name)
    axis.set(xlabel=x, ylabel=y, xscale="log", yscale="log" if log else "linear")
    if not log:
        axis.set_ylim(bottom=0)
    axis.grid(which="both", alpha=0.3)
    axis.legend()
