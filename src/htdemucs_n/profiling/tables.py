"""Profiles and scaling curves as tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from htdemucs_n.profiling.attention import TOKEN_SECONDS, AttentionMeasurement
from htdemucs_n.profiling.lengths import LengthMeasurement
from htdemucs_n.profiling.measurements import Measurements
from htdemucs_n.profiling.profile import Profile
from htdemucs_n.tables import number_table

if TYPE_CHECKING:
    from rich.table import Table


def all_tables(found: Measurements) -> list[Table]:
    """One table for each model by part, one of all models, and those over lengths and tokens where there are any."""
    tables = [*(parts_table(profile) for profile in found.profiles), summary_table(found.profiles)]
    tables += [lengths_table(found.lengths)] if found.lengths else []
    return tables + ([attention_table(found.attention)] if found.attention else [])


def parts_table(profile: Profile) -> Table:
    """Parameters, work and time by part."""
    how = f"{profile.device}, {profile.precision}, {profile.batch} x {profile.segment:g} s"
    table = number_table(f"{profile.model}: {how}", "part", "parameters", "GMACs", "GFLOPs", "time, ms", "share")
    cost, seconds = profile.cost, profile.figures.seconds_by_part
    whole = sum(seconds.values()) or 1.0
    for part, taken in seconds.items():
        flops = cost.flops[part] * profile.batch
        table.add_row(
            part,
            f"{cost.parameters[part]:,}",
            f"{flops / 2e9:.2f}",
            f"{flops / 1e9:.2f}",
            f"{1e3 * taken:.0f}",
            f"{100 * taken / whole:.0f} %",
        )
    table.add_section()
    flops = sum(cost.flops.values()) * profile.batch
    table.add_row(
        "all",
        f"{sum(cost.parameters.values()):,}",
        f"{flops / 2e9:.2f}",
        f"{flops / 1e9:.2f}",
        f"{1e3 * whole:.0f}",
        "",
    )
    ffts = cost.fft_flops * profile.batch / 1e9
    table.add_row("FFTs (by 2.5 N log2 N)", "", "", f"{ffts:.2f}", "", "")
    return table


def summary_table(profiles: Sequence[Profile]) -> Table:
    """The models side by side; of two, the first over the second too."""
    two = len(profiles) == 2
    table = number_table(None, "", *(profile.model for profile in profiles), *(["first / second"] if two else []))
    table.add_row("precision", *(profile.precision for profile in profiles), *([""] if two else []))
    rows: dict[str, Sequence[float | None]] = {
        "segment, s": [p.segment for p in profiles],
        "parameters, M": [sum(p.cost.parameters.values()) / 1e6 for p in profiles],
        "GFLOPs a segment": [sum(p.cost.flops.values()) / 1e9 for p in profiles],
        "one pass, s": [p.figures.seconds for p in profiles],
        "times real time": [p.real_time_factor for p in profiles],
        "memory before, MiB": [p.figures.loaded_mib for p in profiles],
        "peak memory, MiB": [p.figures.peak_rss_mib for p in profiles],
        "peak GPU memory, MiB": [p.figures.gpu_mib for p in profiles],
    }
    for name, values in rows.items():
        known = [value for value in values if value is not None]
        if not known:
            continue
        cells = ["-" if value is None else f"{value:.0f}" if "MiB" in name else f"{value:.2f}" for value in values]
        if two:
            cells.append(f"{known[0] / known[1]:.2f}" if len(known) == 2 else "-")
        table.add_row(name, *cells)
    return table


def lengths_table(rows: Sequence[LengthMeasurement]) -> Table:
    """Time and memory over the length of the song."""
    table = number_table(
        "by length of the song", "model", "song, s", "time, s", "x real time", "memory, MiB", "GPU, MiB"
    )
    for row in rows:
        speed = "-" if row.seconds is None else f"{row.length / row.seconds:.1f}"
        time = row.note if row.seconds is None else f"{row.seconds:.1f}"
        table.add_row(row.model, f"{row.length:g}", time, speed, _mib(row.peak_rss_mib), _mib(row.gpu_mib))
    return table


def attention_table(rows: Sequence[AttentionMeasurement]) -> Table:
    """Time and memory of one attention layer over the number of tokens."""
    table = number_table("one attention layer", "attention", "tokens", "song, s", "time, ms", "memory, MiB")
    for row in rows:
        time = row.note if row.seconds is None else f"{1e3 * row.seconds:.1f}"
        table.add_row(row.attention, f"{row.tokens:,}", f"{row.tokens * TOKEN_SECONDS:.0f}", time, _mib(row.mib))
    return table


def _mib(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"
