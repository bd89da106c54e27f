"""Write docs/benchmarks.md from the results, beside the targets of the design document and published figures.

    python benchmarks/report.py [--results benchmarks/results] [--out docs/benchmarks.md]

Where a result is missing, the page has a line with the command that makes it.
"""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from busy import Row as BusyRow
from busy import table as busy_table
from catalogue import from_record as catalogue
from choices import SECONDS as CHOICES_SECONDS
from choices import Row as ChoiceRow
from choices import table as choices_table
from drum_kit_table import drum_kit_table
from htdemucs_n.engines.choose import ENGINES
from htdemucs_n.files import write_whole
from htdemucs_n.models.names import DEFAULT_MODEL
from ideas import table as ideas_table
from installed_size import Installed
from installed_size import table as installed_table
from published import ABOUT, published_table
from speed import Row, table
from transcription_table import transcription_table

Record = dict[str, Any]

ROOT = Path(__file__).parents[1]
COMMANDS = {
    "complexity": "python benchmarks/complexity.py",
    "speed": "python benchmarks/speed.py --lengths 30 60 180",
    "speed_long": "python benchmarks/speed.py --lengths 300 600",
    "busy": "python benchmarks/busy.py",
    "busy_openvino": "python benchmarks/busy.py --engine openvino",
    "busy_torch": "python benchmarks/busy.py --engine torch",
    "profile": "htdemucs-n profile --preset default --against official --precision fp32",
    "lengths": "htdemucs-n profile --lengths 30,60,180,600,1800,3600",
    "memory": "python benchmarks/memory.py --tiny --threads 1 --minutes 5 600 --stems drums,vocals",
    "attention_scaling": "python benchmarks/attention_scaling.py",
    "quality": "python benchmarks/quality.py SONGS --bss --engines",
    "choices": "python benchmarks/choices.py SONGS",
    "transcription": "python benchmarks/transcription.py POP909.zip GROOVE.zip",
    "drum_kit": "python benchmarks/drum_kit.py GROOVE.zip --songs SONGS",
    "catalogue": "python benchmarks/catalogue.py",
    "ideas": "python benchmarks/ideas.py --train SONGS --valid OTHER_SONGS --minutes 5",
    "fuzz": "python benchmarks/fuzz.py",
}
"""The command that makes each result file, without its option `--json`."""

BUDGET = {
    "multi-resolution encoder": (1.2, ("multi-resolution encoder",)),
    "ResUNet++, band split, spectral head": (12.8, ("ResUNet++", "band split", "spectral head")),
    "transformer": (15.2, ("transformer",)),
    "fusion": (2.3, ("fusion",)),
    "time encoder": (6.4, ("time encoder",)),
    "time decoder": (4.9, ("time decoder",)),
}
"""Millions of parameters that the design document gives to each part, and the parts of this network in it."""

_HEAD = """# Benchmarks

This page is written by `python benchmarks/report.py` from the files in `benchmarks/results/`. Do
not edit the page; make the results again. [How to run the benchmarks](../benchmarks/README.md) has
the commands and the time that each of them takes. Figures from different machines, or of different
metrics, cannot be compared with each other.
"""


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=ROOT / "benchmarks" / "results")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks.md")
    options = parser.parse_args()
    write_whole(options.out, page(options.results, options.out.parent))


def page(results: Path, docs: Path) -> str:
    """The whole page from the JSON files in `results` and the pictures in `docs`."""
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
        [] if all_in_one else _section(records, "speed_long", "Speed and memory on longer songs", speed),
        _section(records, "busy", "Speed on a busy machine: ONNX Runtime", busy),
        _section(records, "busy_openvino", "Speed on a busy machine: OpenVINO", busy),
        _section(records, "busy_torch", "Speed on a busy machine: PyTorch", busy),
        _section(records, "profile", "Where the time goes", profile),
        _picture(docs, "profile.png", "Time by part"),
        _section(records, "lengths", "Time and memory over the length of the song", lengths),
        _picture(docs, "lengths.png", "Time and peak memory over the length of the song"),
        _section(records, "memory", "Memory on a song of ten hours", memory),
        _section(records, "catalogue", "Catalogues on several processes and machines", catalogue),
        _section(records, "attention_scaling", "Linear and softmax attention", attention),
        _picture(docs, "attention-scaling.png", "Time and memory of an attention layer over the number of tokens"),
        _section(records, "quality", "Quality", quality),
        _section(records, "choices", "One network or two, shifts and overlap", choices),
        _section(records, "transcription", "Notes of a song", transcription),
        _section(records, "drum_kit", "The drum kit", drum_kit),
        _section(records, "ideas", "What each idea brings", ideas),
        [ABOUT, *published_table(), ""],
        _section(records, "fuzz", "Damaged files", fuzz),
    ]
    return "\n".join(line for part in parts for line in part).rstrip() + "\n"


def targets(records: dict[str, Record]) -> list[str]:
    """The targets of the design document beside the measured figures."""
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
        return f"{ours / theirs:.2f}" if ours and theirs else "not measured"

    def longest() -> str:
        return f"{timed['default', 600].seconds:.1f} s, {_mib(timed['default', 600].peak_rss_mib)} MiB"

    def tokens() -> str:
        row = layers["linear", 16_000]
        return f"{1e3 * row['seconds']:.0f} ms and {_mib(row['mib'])} MiB for a layer"

    rows: list[tuple[str, str, Callable[[], str], str]] = [
        ("parameters of `default`", "43.33 M", lambda: parameters("default"), "complexity"),
        ("GFLOPs of `default`, 7.8 s", "219.16", lambda: gflops("default"), "complexity"),
        ("parameters of the official HTDemucs", "20.93 M", lambda: parameters("official"), "complexity"),
        ("GFLOPs of the official HTDemucs, 7.8 s", "137.52", lambda: gflops("official"), "complexity"),
        ("speed of `default` relative to the official model, 180 s", "1.46", faster, "speed"),
        ("memory of `default` relative to the official model, 180 s", "0.86", smaller, "speed"),
        ("600 s with `default`", "15.8 s (HTDemucs runs out of memory)", longest, "speed_long"),
        ("a sequence of 16,000 tokens", "fits", tokens, "attention_scaling"),
    ]
    lines = ["| quantity | design document | measured |", "|---|---:|---:|"]
    for what, claim, measure, name in rows:
        try:
            measured = measure()
        except KeyError:  # the result is missing
            measured = f"not measured yet: `{COMMANDS[name]}`"
        lines.append(f"| {what} | {claim} | {measured} |")
    note = (
        "The speed and memory in the design document are those of an RTX 4090. The following sections have the "
        "measured figures with their machines."
    )
    return [*lines, "", *_wrapped(note)]


def complexity(record: Record) -> list[str]:
    """Every preset, and the parts of the default beside the budget of the design document."""
    lines = [f"One segment of {record['segment']:g} s. FFTs are counted separately, by the formula 2.5 N log2 N.", ""]
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
    """The table that `speed.py` prints: the shipped model by its engine, the `default` preset, the official one."""
    rows = sorted(_rows(record), key=lambda row: row.length)
    text = _wrapped(
        "The rows `onnx`, `openvino` and `torch` are `htdemucs-n separate` with the shipped model of the date below, "
        "by that engine; `default` is the same command with the preset `default`; `official` is the "
        "command `demucs` of PyPI. The whole commands are timed, from an audio file to the files of the stems, with "
        f"the segment and the overlap that each command has by default and no shifts, on {_device(record)}."
    )
    lines = [*text, "", *table(rows)]
    if installed := [Installed(**row) for row in record.get("installed", ())]:
        about = (
            "The packages that the installation of each command brings, itself included, and the size of their files "
            "on the disk, without trained weights and with the CPU build of torch:"
        )
        lines += ["", *_wrapped(about), "", *installed_table(installed)]
    return lines


def profile(record: Record) -> list[str]:
    """Time and FLOPs by part of each model."""
    lines = []
    for model in record["profiles"]:
        figures, cost = model["figures"], model["cost"]
        peak = f"{figures['peak_rss_mib']:.0f} MiB" if figures["peak_rss_mib"] else "not measured"
        lines += [
            *_wrapped(
                f"**{model['model']}** in {model['precision']} on {_device(model)} takes "
                f"{figures['seconds']:.2f} s for {model['batch']} segment of {model['segment']:g} s, which is "
                f"{model['real_time_factor']:.1f} times real time. Its peak memory is {peak}."
            ),
            "",
            "| part | GFLOPs | time, ms |",
            "|---|---:|---:|",
        ]
        for part, seconds in figures["seconds_by_part"].items():
            lines.append(f"| {part} | {cost['flops'][part] / 1e9:.2f} | {1e3 * seconds:.0f} |")
        lines.append("")
    return lines[:-1]


def lengths(record: Record) -> list[str]:
    """Time and memory over the length of the song."""
    lines = ["| model | song, s | time, s | times real time | peak memory, MiB |", "|---|---:|---:|---:|---:|"]
    for row in record["lengths"]:
        done = row["seconds"] is not None
        time = f"{row['seconds']:.1f} | {row['length'] / row['seconds']:.1f}" if done else f"{row['note']} | -"
        lines.append(f"| {row['model']} | {row['length']:g} | {time} | {_mib(row['gpu_mib'] or row['peak_rss_mib'])} |")
    return lines


def memory(record: Record) -> list[str]:
    """Peak memory of the whole command by the length of the song."""
    about = f"The figures are those of the whole command on {_device(record)}."
    if record["tiny"]:
        about += " The model is tiny and has random weights, so that they show the memory of everything but the model."
    lines = [*_wrapped(about), ""]
    lines += ["| song, min | time, s | peak memory, MiB |", "|---:|---:|---:|"]
    rows = record["results"]
    return lines + [f"| {row['minutes']:g} | {row['seconds']:.0f} | {_mib(row['peak_rss_mib'])} |" for row in rows]


def attention(record: Record) -> list[str]:
    """One layer over the number of tokens, with a column for each kind of attention."""
    kinds = list(dict.fromkeys(row["attention"] for row in record["attention"]))
    cells = {(row["attention"], row["tokens"]): row for row in record["attention"]}
    size = f"{record['dim']} wide, {record['heads']} heads of {record['dim_head']}"
    about = (
        f"The figures are those of one layer, {size}, in {record['precision']} on {_device(record)}. "
        "The memory is what the layer needs in addition to the memory in use before."
    )
    lines = [*_wrapped(about), ""]
    lines += [f"| tokens | {' | '.join(kinds)} |", "|---:|" + "---:|" * len(kinds)]
    for tokens in sorted({row["tokens"] for row in record["attention"]}):
        rows = (cells.get((kind, tokens)) for kind in kinds)
        shown = ["-" if r is None else r["note"] or f"{1e3 * r['seconds']:.0f} ms, {_mib(r['mib'])} MiB" for r in rows]
        lines.append(f"| {tokens:,} | {' | '.join(shown)} |")
    return lines


def quality(record: Record) -> list[str]:
    """The scores of the shipped model, with a table for each metric."""
    names = {
        "median_sdr_db": "Global SDR in dB, 10 log10(sum s^2 / sum (s - s_hat)^2) of a whole song, median over songs",
        "median_bss_sdr_db": "SDR of BSS Eval v4 (`museval`) in dB, median over frames of 1 s, then median over songs",
    }
    lines = [f"The scores are those of `{record['model']}` on {record['songs']} songs that it was not trained on.", ""]
    for key, name in names.items():
        if key in record:
            columns = list(record[key]["model"])
            lines += [f"{name}:", "", f"| estimate | {' | '.join(columns)} |", "|---|" + "---:|" * len(columns)]
            for estimate, row in record[key].items():
                shown = f"`{record['model']}`" if estimate == "model" else "the mixture as every stem"
                lines.append(f"| {shown} | {' | '.join(f'{row[column]:.2f}' for column in columns)} |")
            lines.append("")
    if "engines" in record:
        columns = list(next(iter(record["engines"].values())))
        lines += ["The same songs with each engine in the precision that it takes by itself, global SDR in dB:", ""]
        lines += [f"| engine | {' | '.join(columns)} |", "|---|" + "---:|" * len(columns)]
        for engine, row in record["engines"].items():
            lines.append(f"| {engine} | {' | '.join(f'{row[column]:.3f}' for column in columns)} |")
        lines.append("")
    return lines[:-1]


def choices(record: Record) -> list[str]:
    """Quality and time of what a user can choose."""
    about = (
        "The same songs with other options: the median over songs of the global SDR in dB, its mean over songs and "
        f"stems, and the time of {CHOICES_SECONDS} s of noise with the engine {record['engine']}, without loading and "
        f"files, relative to `{DEFAULT_MODEL}` (medians of {record['repeats']} rounds)."
    )
    return [*_wrapped(about), "", *choices_table([ChoiceRow(**row) for row in record["results"]])]


def transcription(record: Record) -> list[str]:
    """Scores of the notes that are found in songs made from notes."""
    about = (
        f"`htdemucs-n transcribe` on {record['songs']} songs of {record['seconds']:g} s made from known notes: "
        "the mean F-measure of the onsets, within 50 ms, and of the notes whose pitch is right too, within half a "
        "semitone; and the share of songs whose tempo, or half or twice that, is found within 4 %."
    )
    return [*_wrapped(about), "", *transcription_table(record["results"])]


def drum_kit(record: Record) -> list[str]:
    """Scores of the parts of drums from kits that were not trained on."""
    about = (
        f"{record['clips']} performances of {record['seconds']:g} s on kits that the model was never trained on, taken "
        "apart as they are, and as the shipped model separates them from a mixture with the other stems of a song: the "
        "median of the global SDR over the clips that have the part; for the other clips, the median of the level of "
        "what comes out for it, relative to the clip (leak); the F-measure of the onsets that `transcribe` finds in "
        "the part, within 50 ms; and the same where a hit is right only if its velocity is too, within a tenth of the "
        "range (older results have none)."
    )
    return [*_wrapped(about), "", *drum_kit_table(record["results"])]


def ideas(record: Record) -> list[str]:
    """The ablation: the whole design in the size of `small`, with each idea switched off in turn."""
    count = len({run["seed"] for run in record["runs"]})
    seeds = f"{count} seeds, as their mean +- half their range" if count > 1 else "one seed"
    columns, rows = ideas_table(record)
    text = _wrapped(
        "The whole design in the size of `small` was trained from random weights with each idea switched off in turn. "
        f"Each run had {record['minutes']:g} minutes, so slower networks were trained for fewer steps. The scores are "
        f"the global SDR in dB, as the median over songs that no run was trained on, for {seeds}."
    )
    return [
        *text,
        "",
        f"| {' | '.join(columns)} |",
        f"|---|{'---:|' * (len(columns) - 1)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def busy(record: Record) -> list[str]:
    """Time of the whole command beside other processes."""
    rows = [BusyRow(**row) for row in record["results"]]
    loads = {
        "idle": "on an idle machine (`idle`)",
        "loop": "beside a busy loop on one core (`loop`)",
        "matrix": "beside a matrix product on every core (`matrix`)",
    }
    *first, last = (loads[load] for load in dict.fromkeys(row.load for row in rows))
    about = (
        f"The whole command with the engine {record['engine']} separates {record['seconds']:g} s of song, "
        f"{', '.join(first)} and {last}. The times are medians of {record['repeats']} runs, taken in turn."
    )
    if record["engine"] == "torch":
        about += (
            " Threads that wait for each other sleep (`sleep`, the setting of the command) or run while they wait "
            "(`spin`, the default of GNU's OpenMP)."
        )
    else:
        about += (
            " Where the system shares two cores evenly between the loop and two threads, each gets two thirds of a "
            "core: work that two threads divide evenly then takes 1.5 times as long, without any waiting."
        )
    return [*_wrapped(about), "", *busy_table(rows)]


def fuzz(record: Record) -> list[str]:
    """Damaged files of each format by result."""
    lines = ["Each file is separated, or refused with a message of one line. Anything else is a failure.", ""]
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
    """The machine, versions, date and command of a result, as far as they are recorded."""
    cores = f"{record['cores']} cores, threads: {record['threads']}" if "cores" in record else None
    package = ENGINES[record.get("engine", "torch")][0]
    versions = f"{package} {record[package]}" if package in record else record.get("about")
    facts: Iterable[str | None] = (record.get("gpu"), record.get("cpu"), cores, versions, record.get("date"))
    where = ", ".join(fact for fact in facts if fact) or "machine not recorded"
    command = f"`{record['command']}`, " if "command" in record else ""
    return f"*{where}: {command}[result](../benchmarks/results/{name}.json)*"


def _device(record: Record) -> str:
    device = str(record["device"])
    return {"cpu": "the CPU", "cuda": "the GPU"}.get(device, device)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 100, break_long_words=False, break_on_hyphens=False)


def _picture(docs: Path, name: str, title: str) -> list[str]:
    return [f"![{title}]({name})", ""] if (docs / name).is_file() else []


def _rows(record: Record | None) -> list[Row]:
    return [Row(**row) for row in record["results"]] if record else []


def _mib(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


if __name__ == "__main__":
    main()
