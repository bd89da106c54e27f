"""Figures that others have published on MUSDB18, with their sources. None of them was measured by this project.

The metric is the SDR of BSS Eval v4 (`museval`): median over frames of 1 s, median over the 50 songs of the test part
of MUSDB18 or MUSDB18-HQ, in dB; the overall figure is the mean over the four stems. It is not the global SDR.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """A published score in dB with the digits of its source, overall and for drums, bass, other, vocals if given."""

    model: str
    extra_data: str
    overall: str
    stems: tuple[float, float, float, float] | None
    source: str


_DEMUCS = "[Demucs README](https://github.com/adefossez/demucs#comparison-with-other-models)"
_UMX = "[Open-Unmix README](https://github.com/sigsep/open-unmix-pytorch)"

PUBLISHED = (
    Published("Wave-U-Net", "no", "3.2", None, _DEMUCS),
    Published("Open-Unmix (UMX)", "no", "5.33", (5.73, 5.23, 4.02, 6.32), _UMX),
    Published("Open-Unmix (UMXL)", "yes", "6.32", (7.15, 6.02, 4.89, 7.21), _UMX),
    Published("Conv-TasNet", "no", "5.7", None, _DEMUCS),
    Published("Spleeter", "25,000 songs", "5.9", None, _DEMUCS),
    Published("D3Net", "no", "6.0", None, _DEMUCS),
    Published("Demucs v2", "no", "6.28", (6.86, 7.01, 4.42, 6.84), "[paper](https://arxiv.org/abs/1911.13254)"),
    Published("KUIELAB-MDX-Net", "no", "7.5", None, _DEMUCS),
    Published(
        "Hybrid Demucs (v3)", "no", "7.68", (8.24, 8.76, 5.59, 8.13), "[paper](https://arxiv.org/abs/2111.03600)"
    ),
    Published("Band-Split RNN", "no", "8.24", (9.01, 7.22, 6.70, 10.01), "[paper](https://arxiv.org/abs/2209.15174)"),
    Published("SCNet", "no", "9.00", (10.51, 8.82, 6.76, 9.89), "[paper](https://arxiv.org/abs/2401.13276)"),
    Published("HTDemucs, fine-tuned (v4)", "800 songs", "9.00", None, "[paper](https://arxiv.org/abs/2211.08553)"),
    Published("HTDemucs, sparse, fine-tuned", "800 songs", "9.20", None, "[paper](https://arxiv.org/abs/2211.08553)"),
    Published("BS-RoFormer", "no", "9.80", None, "[paper](https://arxiv.org/abs/2309.02612)"),
)


ABOUT = """## What others have published

These figures were published by others and not measured by this project. The metric is the SDR of
BSS Eval v4 (`museval`) in dB, as the median over frames of 1 s and then over the 50 test songs of
MUSDB18 or MUSDB18-HQ. The overall figure is the mean over the four stems. **The metric differs from
the global SDR above, and so do the songs, so these figures cannot be compared with those above.**
"""


def published_table() -> list[str]:
    """The table in Markdown."""
    lines = ["| model | extra training data | overall | drums | bass | other | vocals | source |"]
    lines.append("|---|---|---:|---:|---:|---:|---:|---|")
    for row in PUBLISHED:
        stems = [f"{value:.2f}" for value in row.stems] if row.stems else ["-"] * 4
        lines.append(f"| {row.model} | {row.extra_data} | {row.overall} | {' | '.join(stems)} | {row.source} |")
    return lines
