"""Write docs/benchmarks.md from the results: our figures, the design document's targets, and what others published.

    python benchmarks/report.py [--results benchmarks/results] [--out docs/benchmarks.md]

A result that is not there gives a line with the command that makes it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from htdemucs_n.files import write_whole
from ideas import table as ideas_table
from published import ABOUT, published_table
from speed import Row, table

Record = dict[str, Any]

ROOT = Path(__file__).parents[1]
COMMANDS = {
    "complexity": "python benchmarks/complexity.py",
    "speed": "python benchmarks/speed.py --lengths 30 60 180",
    "speed_long": "python benchmarks/speed.py --lengths 300 600",
    "profile": "htdemucs-n profile --preset default --against official --precision fp32",
    "lengths": "htdemucs-n profile --lengths 30,60,180,600,1800,3600",
    "memory": "python benchmarks/memory.py --tiny --threads 1 --minutes 5 600 --stems drums,vocals",
    "attention_scaling": "python benchmarks/attention_scaling.py",
    "quality": "python benchmarks/quality.py SONGS --bss",
    "ideas": "python benchmarks/ideas.py --train SONGS --valid OTHER_SONGS --minutes 5",
    "fuzz": "python benchmarks/fuzz.py",
}
"""By the name of the result file, without its `--json`."""

BUDGET = {
    "multi-resolution encoder": (1.2, ("multi-resolution encoder",)),
    "ResUNet++, band split, spectral head": (12.8, ("ResUNet++", "band split", "spectral head")),
    "transformer": (15.2, ("transformer",)),
    "fusion": (2.3, ("fusion",)),
    "time encoder": (6.4, ("time encoder",)),
    "time decoder": (4.9, ("time decoder",)),
}
"""Millions of parameters that the design document gives to each part, and our parts that it stands for."""

_HEAD = """# Benchmarks

This page is written by `python benchmarks/report.py` from the files of `benchmarks/results/`: change these, not the
page. How they are made, and how long that takes: [benchmarks](../benchmarks/README.md). Figures of different machines
and of different metrics do not compare.
"""


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks.md")
    options = parser.parse_args()
    write_whole(options.out, page(options.results, options.out.parent))


def page(results: Path, docs: Path) -> str:
    """The whole page, of the JSON files in `results` and the pictures in `docs`."""
    records: dict[str, Record] = {}
    for name in COMMANDS:
        file = results / f"{name}.json"
        if file.is_file():
            records[name] = json.loads(file.read_text(encoding="utf-8"))
    all_in_one = any(row.length >= 600 for row in _rows(records.get("speed")))
    parts = [
        [_HEAD],
        ["## Against the design document", "", *targets(records), ""],
        _section(records, "complexity", "Parameters and FLOPs", complexity),
        _section(records, "speed", "Speed and memory of the whole command", speed),
        [] if all_in_one else _section(records, "speed_long", "The same on longer songs", speed),
        _section(records, "profile", "Where the time goes", profile),
        _picture(docs, "profile.png", "Time by part"),
        _section(records, "lengths", "Over the length of the song", lengths),
        _picture(docs, "lengths.png", "Time and peak memory over the length of the song"),
        _section(records, "memory", "Memory that does not grow", memory),
        _section(records, "attention_scaling", "Linear and softmax attention", attention),
        _picture(docs, "attention-scaling.png", "Time and memory of an attention layer over the number of tokens"),
        _section(records, "quality", "Quality", quality),
        _section(records, "ideas", "What each idea brings", ideas),
        [ABOUT, *published_table(), ""],
        _section(records, "fuzz", "Damaged files", fuzz),
    ]
    return "\n".join(line for part in parts for line in part).rstrip() + "\n"


def targets(records: dict[str, Record]) -> list[str]:
    """The document's claims beside what was measured."""
    counts = {row["model"]: row for row in records.get("complexity", {}).get("results", [])}
    timed = {(row.model, row.length): row for name in ("speed", "speed_long") for row in _rows(records.get(name))}
    layers = {(r["attention"], r["tokens"]): r for r in records.get("attention_scaling", {}).get("attention", [])}

    def parameters(model: str) -> str:
        return f"{sum(counts[model]['parameters'].values()) / 1e6:.2f} M"

    def gflops(model: str) -> str:
        return f"{sum(counts[model]['flops'].values()) / 1e9:.2f}"

    def faster() -> str:
        return f"{timed['official', 180].seconds / timed['default', 180].seconds:.2f}"

    def smaller() -> str:
        ours, theirs = timed["default", 180].peak_rss_mib, timed["official", 180].peak_rss_mib
        return f"{ours / theirs:.2f}" if ours and theirs else "not told"

    def longest() -> str:
        return f"{timed['default', 600].seconds:.1f} s, {_mib(timed['default', 600].peak_rss_mib)} MiB"

    def tokens() -> str:
        row = layers["linear", 16_000]
        return f"{1e3 * row['seconds']:.0f} ms, {_mib(row['mib'])} MiB a layer"

    rows: list[tuple[str, str, Callable[[], str], str]] = [
        ("parameters of `default`", "43.33 M", lambda: parameters("default"), "complexity"),
        ("GFLOPs of `default`, 7.8 s", "219.16", lambda: gflops("default"), "complexity"),
        ("parameters of the official HTDemucs", "20.93 M", lambda: parameters("official"), "complexity"),
        ("GFLOPs of the official HTDemucs, 7.8 s", "137.52", lambda: gflops("official"), "complexity"),
        ("speed of `default`, times the official model's, 180 s", "1.46", faster, "speed"),
        ("memory of `default`, times the official model's, 180 s", "0.86", smaller, "speed"),
        ("600 s with `default`", "15.8 s, where HTDemucs runs out of memory", longest, "speed_long"),
        ("a sequence of 16,000 tokens", "fits", tokens, "attention_scaling"),
    ]
    lines = ["| what | design document | measured |", "|---|---:|---:|"]
    for what, claim, measure, name in rows:
        try:
            measured = measure()
        except KeyError:  # that result is not there
            measured = f"not yet: `{COMMANDS[name]}`"
        lines.append(f"| {what} | {claim} | {measured} |")
    note = "The document's speed and memory are those of an RTX 4090. What was measured, and where, is below."
    return [*lines, "", note]


def complexity(record: Record) -> list[str]:
    """Every preset, and the parts of the default beside the document's budget."""
    lines = [f"One segment of {record['segment']:g} s. FFTs are counted by formula, 2.5 N log2 N, and apart.", ""]
    lines += ["| model | parameters | GMACs | GFLOPs | GFLOPs of FFTs |", "|---|---:|---:|---:|---:|"]
    for row in record["results"]:
        flops = sum(row["flops"].values())
        cells = (f"{sum(row['parameters'].values()):,}", f"{flops / 2e9:.2f}", f"{flops / 1e9:.2f}")
        lines.append(f"| {row['model']} | {' | '.join(cells)} | {row['fft_flops'] / 1e9:.2f} |")
    default = next((row for row in record["results"] if row["model"] == "default"), None)
    if default is None:
        return lines
    lines += [
        "",
        "| part of `default` | parameters | design document | difference | GFLOPs |",
        "|---|---:|---:|---:|---:|",
    ]
    named = {part for _, parts in BUDGET.values() for part in parts}
    others = {part: (None, (part,)) for part in default["parameters"] if part not in named}
    for name, (budget, parts) in {**BUDGET, **others}.items():
        count = sum(default["parameters"].get(part, 0) for part in parts)
        gflops = sum(default["flops"].get(part, 0) for part in parts) / 1e9
        beside = f"{budget:g} M | {100 * (count / budget / 1e6 - 1):+.1f} %" if budget else "- | -"
        if count or gflops:
            lines.append(f"| {name} | {count:,} | {beside} | {gflops:.2f} |")
    return lines


def speed(record: Record) -> list[str]:
    """The table that `speed.py` prints: the shipped model, the `default` preset, the official architecture."""
    how = f"Segment {record['segment']:g} s, overlap {record['overlap']:g}, no shifts, on {record['device']}."
    rows = sorted(_rows(record), key=lambda row: row.length)
    what = "The shipped model and the `default` preset in `htdemucs-n separate`, beside PyPI's `demucs`, file to files."
    return [f"{what} {how}", "", *table(rows)]


def profile(record: Record) -> list[str]:
    """Time and FLOPs by part of each model."""
    lines = []
    for model in record["profiles"]:
        figures, cost = model["figures"], model["cost"]
        peak = f"{figures['peak_rss_mib']:.0f} MiB" if figures["peak_rss_mib"] else "not told"
        lines += [
            f"**{model['model']}**, {model['precision']} on {model['device']}, {model['batch']} segment of "
            f"{model['segment']:g} s: {figures['seconds']:.2f} s, {model['real_time_factor']:.1f} times real time, "
            f"peak memory {peak}.",
            "",
            "| part | GFLOPs | time, ms |",
            "|---|---:|---:|",
        ]
        for part, seconds in figures["seconds_by_part"].items():
            lines.append(f"| {part} | {cost['flops'][part] / 1e9:.2f} | {1e3 * seconds:.0f} |")
        lines.append("")
    return lines[:-1]


def lengths(record: Record) -> list[str]:
    """The scaling curve over the length of the song."""
    lines = ["| model | song, s | time, s | x real time | peak memory, MiB |", "|---|---:|---:|---:|---:|"]
    for row in record["lengths"]:
        done = row["seconds"] is not None
        time = f"{row['seconds']:.1f} | {row['length'] / row['seconds']:.1f}" if done else f"{row['note']} | -"
        lines.append(f"| {row['model']} | {row['length']:g} | {time} | {_mib(row['gpu_mib'] or row['peak_rss_mib'])} |")
    return lines


def memory(record: Record) -> list[str]:
    """Peak memory of the whole command by minutes."""
    about = "A tiny model of random weights, so that what is around the model shows. " if record["tiny"] else ""
    lines = [f"{about}The whole command, from file to files, on {record['device']}.", ""]
    lines += ["| song, min | time, s | peak memory, MiB |", "|---:|---:|---:|"]
    rows = record["results"]
    return lines + [f"| {row['minutes']:g} | {row['seconds']:.0f} | {_mib(row['peak_rss_mib'])} |" for row in rows]


def attention(record: Record) -> list[str]:
    """One layer over the number of tokens, a column a kind."""
    kinds = list(dict.fromkeys(row["attention"] for row in record["attention"]))
    cells = {(row["attention"], row["tokens"]): row for row in record["attention"]}
    size = f"{record['dim']} wide, {record['heads']} heads of {record['dim_head']}"
    lines = [f"One layer, {size}, {record['precision']} on {record['device']}; memory above what was held before.", ""]
    lines += [f"| tokens | {' | '.join(kinds)} |", "|---:|" + "---:|" * len(kinds)]
    for tokens in sorted({row["tokens"] for row in record["attention"]}):
        rows = (cells.get((kind, tokens)) for kind in kinds)
        shown = ["-" if r is None else r["note"] or f"{1e3 * r['seconds']:.0f} ms, {_mib(r['mib'])} MiB" for r in rows]
        lines.append(f"| {tokens:,} | {' | '.join(shown)} |")
    return lines


def quality(record: Record) -> list[str]:
    """Our scores, a table a metric."""
    names = {
        "median_sdr_db": "Global SDR, dB: 10 log10(sum s^2 / sum (s - s_hat)^2) over the whole song, median over songs",
        "median_bss_sdr_db": "SDR of BSS Eval v4 (`museval`), dB: median over frames of 1 s, median over songs",
    }
    lines = [f"`{record['model']}` on {record['songs']} songs that it was not trained on.", ""]
    for key, name in names.items():
        if key in record:
            columns = list(record[key]["model"])
            lines += [f"{name}:", "", f"| estimate | {' | '.join(columns)} |", "|---|" + "---:|" * len(columns)]
            for estimate, row in record[key].items():
                shown = f"`{record['model']}`" if estimate == "model" else "the mixture as every stem"
                lines.append(f"| {shown} | {' | '.join(f'{row[column]:.2f}' for column in columns)} |")
            lines.append("")
    return lines[:-1]


def ideas(record: Record) -> list[str]:
    """The whole design in the size of `small`, with each idea switched off."""
    count = len({run["seed"] for run in record["runs"]})
    seeds = f"{count} seeds, mean +- half their range" if count > 1 else "one seed"
    columns, rows = ideas_table(record)
    return [
        "The whole design in the size of `small`, each idea switched off in turn, trained from random weights for "
        f"{record['minutes']:g} minutes: what is slower takes fewer steps. Global SDR in dB, median over songs that "
        f"none was trained on; {seeds}.",
        "",
        f"| {' | '.join(columns)} |",
        f"|---|{'---:|' * (len(columns) - 1)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def fuzz(record: Record) -> list[str]:
    """Files of each format by what became of them."""
    lines = ["Each file is separated, or refused in one line; anything else is a failure.", ""]
    lines += ["| format | files | separated | refused | failures |", "|---|---:|---:|---:|---:|"]
    for name, row in record["results"].items():
        counts = (row["files"], row["separated"], row["refused"], len(row["failures"]))
        lines.append(f"| {name} | {' | '.join(map(str, counts))} |")
    return lines


def _section(records: dict[str, Record], name: str, title: str, body: Callable[[Record], list[str]]) -> list[str]:
    if name not in records:
        made = f"{COMMANDS[name]} --json benchmarks/results/{name}.json"
        return [f"## {title}", "", f"Not measured yet: `{made}`", ""]
    return [f"## {title}", "", *body(records[name]), "", _made(records[name], name), ""]


def _made(record: Record, name: str) -> str:
    """The machine, versions, date and command of a result, as far as it tells them, in one line."""
    cores = f"{record['cores']} cores, threads: {record['threads']}" if "cores" in record else None
    versions = f"torch {record['torch']}" if "torch" in record else record.get("about")
    facts: Iterable[str | None] = (record.get("gpu"), record.get("cpu"), cores, versions, record.get("date"))
    where = ", ".join(fact for fact in facts if fact) or "machine not recorded"
    command = f"`{record['command']}`, " if "command" in record else ""
    return f"*{where}: {command}[result](../benchmarks/results/{name}.json)*"


def _picture(docs: Path, name: str, title: str) -> list[str]:
    return [f"![{title}]({name})", ""] if (docs / name).is_file() else []


def _rows(record: Record | None) -> list[Row]:
    return [Row(**row) for row in record["results"]] if record else []


def _mib(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


if __name__ == "__main__":
    main()
