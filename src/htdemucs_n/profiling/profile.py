"""All about one model in one record: what it costs by counting, what it takes by measuring."""

from __future__ import annotations

from dataclasses import dataclass

from htdemucs_n.errors import UserError
from htdemucs_n.profiling.cost import Cost, count_cost
from htdemucs_n.profiling.figures import Figures, Settings, measure_figures
from htdemucs_n.profiling.subjects import Subject
from htdemucs_n.separation.device import PRECISIONS


@dataclass(frozen=True)
class Profile:
    """A model, how it was run, its cost for one segment and the figures of one pass over `batch` segments.

    `segment` is in seconds; `real_time_factor` is seconds of song separated a second, the overlap of segments included.
    """

    model: str
    device: str
    precision: str
    segment: float
    batch: int
    cost: Cost
    figures: Figures
    real_time_factor: float


def profile_model(subject: Subject, settings: Settings, repeats: int = 5) -> Profile:
    """Count and measure one model.

    Raises:
        UserError: the model or a setting is unknown or does not fit, or memory runs out.
    """
    model = subject.load()
    separator = settings.separator(model)
    segment = float(settings.segment or model.segment)
    cost = count_cost(model.cpu(), round(segment * model.samplerate))
    try:
        figures = measure_figures(subject, settings, repeats)
    except MemoryError as error:
        raise UserError(f"{subject.name}: {error}: use a smaller --segment or --batch") from None
    return Profile(
        subject.title,
        str(separator.device),
        next(name for name, dtype in PRECISIONS.items() if dtype == separator.precision),
        segment,
        separator.batch,
        cost,
        figures,
        separator.batch * separator.segment_seconds / figures.seconds,
    )
