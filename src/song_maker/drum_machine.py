"""Programmed drum patterns of dance music and hip hop, on the sixteenths of a bar."""

from __future__ import annotations

import numpy as np

from song_maker.notes import Note

_PATTERNS: dict[str, dict[int, tuple[str, ...]]] = {
    "four": {
        36: ("x...x...x...x...", "x...x...x...x..x"),
        39: ("....x.......x...", "................"),
        38: ("................", "....x.......x..o"),
        42: ("x.x.x.x.x.x.x.x.", "xoxoxoxoxoxoxoxo", "................"),
        46: ("..x...x...x...x.", "................"),
        49: ("................",),
    },
    "trap": {
        36: ("x.....x...x.....", "x......x..x..x..", "x.........x....."),
        38: ("........x.......", "....x.......x..."),
        39: ("........x.......", "................"),
        42: ("x.x.x.x.x.x.x.x.", "x.xxx.x.x.xxxxxx", "xxxxx.xxx.x.xxxx"),
        46: ("................", "..............x."),
    },
    "break": {
        36: ("x.x.......x.....", "x.......xx......", "x..x......x..x.."),
        38: ("....x..o.o..x..o", "....x.......x...", "....x..o....x.o."),
        42: ("x.x.x.x.x.x.x.x.", "xoxoxoxoxoxoxoxo"),
        46: ("................", "..........x....."),
    },
    "rock": {
        36: ("x.......x.......", "x.......x.x.....", "x..x....x..x....", "x.x...x.x.x...x."),
        38: ("....x.......x...", "....x..o.o..x..."),
        42: ("x.x.x.x.x.x.x.x.", "................"),
        51: ("................", "................", "x.x.x.x.x.x.x.x."),
        49: ("................", "x.......x......."),
    },
    "blast": {
        36: ("x.x.x.x.x.x.x.x.", "xxxxxxxxxxxxxxxx", "x.xxx.xxx.xxx.xx"),
        38: ("....x.......x...", "..x...x...x...x.", ".x.x.x.x.x.x.x.x"),
        42: ("................", "x.x.x.x.x.x.x.x."),
        49: ("x...x...x...x...", "x.......x......."),
        51: ("................", "x...x...x...x..."),
    },
}

PATTERNS = tuple(_PATTERNS)
"""Names that `programmed` knows."""


def programmed(pattern: str, beats: float, rng: np.random.Generator) -> list[Note]:
    """Hits in beats of a drum machine; every fourth bar may end in a fill, and begins with a crash."""
    swing = rng.choice([0.0, 0.0, rng.uniform(0.02, 0.08)])
    rows = {piece: str(rng.choice(choices)) for piece, choices in _PATTERNS[pattern].items()}
    fills, crashes = rng.random() < 0.5, rng.random() < 0.6
    hits = []
    for bar in range(int(-(-beats // 4))):
        filled = fills and bar % 4 == 3
        for piece, row in rows.items():
            for place, stroke in enumerate(row):
                if stroke != "." and not (filled and place >= 12):
                    loud = 112 if stroke == "x" else 55
                    hits.append((4 * bar + place / 4, piece, loud))
        if filled:
            pieces = [int(rng.choice([38, 38, 47, 50, 43])) for _ in range(4)]
            hits += [(4 * bar + 3 + step / 4, piece, 100 + 4 * step) for step, piece in enumerate(pieces)]
        if crashes and bar % 4 == 0:
            hits.append((4.0 * bar, 49, 105))
    return [
        Note(
            start + (swing if start % 0.5 else 0.0), 0.1, piece, int(np.clip(loud + 5 * rng.standard_normal(), 1, 127))
        )
        for start, piece, loud in sorted(hits)
        if start < beats
    ]
