"""One record of a model: its cost by counting, its time and memory by measuring."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

from torch import nn

from htdemucs_n.errors import DeviceError
from htdemucs_n.profiling.cost import Cost, count_cost
from htdemucs_n.profiling.passes import PassMeasurement, Settings, measure_passes, torch_engine
from htdemucs_n.profiling.profiled_model import ProfiledModel


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
    figures: PassMeasurement
    real_time_factor: float


def profile_model(model: ProfiledModel, settings: Settings, repeats: int = 5) -> Profile:
    """Count and measure one model.

    Raises:
        UserError: the model or a setting is unknown or does not fit, or memory runs out.
    """
    counted = torch_engine(replace(settings, device="cpu", precision="fp32").separator(model)).network
    separator = settings.separator(model)
    engine = separator.engine
    cost = count_cost(cast(nn.Module, counted), round(engine.segment * engine.samplerate))
    try:
        figures = measure_passes(model, settings, repeats)
    except MemoryError as error:
        raise DeviceError(f"{model.name}: {error}: use a smaller --segment or --batch") from None
    return Profile(
        model.title,
        engine.device,
        engine.precision,
        engine.segment,
        separator.batch,
        cost,
        figures,
        separator.batch * separator.segment_seconds / figures.seconds,
    )
