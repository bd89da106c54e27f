"""The layout of MUSDB18 and datasets like it: two subsets, an official validation split, five streams a file.

    MUSDB18/                MUSDB18-HQ/              the 7-second previews are like MUSDB18
      train/                  train/
        A song.stem.mp4         A song/{mixture,drums,bass,other,vocals}.wav
      test/                   test/
        ...                     ...

Source: Rafii, Liutkus, Stöter, Mimilakis, Bittner, "The MUSDB18 corpus for music separation", 2017; the split is that
of the Python package `musdb`.
"""

from __future__ import annotations

from pathlib import Path

STEM_FILE = ".stem.mp4"
"""End of the name of a file that holds a mixture and its stems as audio streams."""

STREAMS = ("mixture", "drums", "bass", "other", "vocals")
"""What the audio streams of a stem file hold, in their order."""

VALIDATION = frozenset(
    {
        "ANiMAL - Rockshow",
        "Actions - One Minute Smile",
        "Alexander Ross - Goodbye Bolero",
        "Clara Berry And Wooldog - Waltz For My Victims",
        "Fergessen - Nos Palpitants",
        "James May - On The Line",
        "Johnny Lokke - Promises & Lies",
        "Leaf - Summerghost",
        "Meaxic - Take A Step",
        "Patrick Talbot - A Reason To Leave",
        "Skelpolu - Human Mistakes",
        "Traffic Experiment - Sirens",
        "Triviul - Angelsaint",
        "Young Griffo - Pennies",
    }
)
"""The 14 songs of `train/` that are held out for validation."""


def is_root(folder: Path) -> bool:
    """Whether a folder has the two subsets, `train` and `test`."""
    return (folder / "train").is_dir() and (folder / "test").is_dir()
