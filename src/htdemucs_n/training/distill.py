"""Knowledge distillation (Hinton et al., 2015): a student also learns what a better model hears.

The teacher's stems stand beside the true ones, and alone where there are none: songs of which only the mixture is
known teach as well.
"""

from __future__ import annotations

import torch
from torch import Tensor

from htdemucs_n.errors import UserError
from htdemucs_n.models.registry import load_model


class Teacher:
    """Any model that the registry loads, frozen, with its stems in the order of the student's.

    Raises `UserError` for a model that can't be loaded, works at another rate, lacks a stem, or can't hear `seconds`,
    the length of a crop, at once.
    """

    def __init__(
        self, name: str, sources: tuple[str, ...], sample_rate: int, seconds: float, device: torch.device
    ) -> None:
        self.model = load_model(name).to(device).eval().requires_grad_(False)
        longest = getattr(self.model, "max_segment", seconds)
        if seconds > longest + 0.01:
            raise UserError(f"distill.teacher={name} hears at most {longest:g} s at once: set dset.segment={longest:g}")
        known = list(self.model.sources)
        missing = [source for source in sources if source not in known]
        if missing or self.model.samplerate != sample_rate:
            raise UserError(
                f"distill.teacher={name} separates {', '.join(known)} at {self.model.samplerate} Hz: it can't teach "
                f"{', '.join(sources)} at {sample_rate} Hz"
            )
        self.order = [known.index(source) for source in sources]

    @torch.no_grad()
    def __call__(self, mixture: Tensor) -> Tensor:
        """What the teacher hears in `(B, C, T)`: `(B, S, C, T)`, float32."""
        half = torch.is_autocast_enabled(mixture.device.type) and not getattr(self.model, "full_precision", False)
        with torch.autocast(mixture.device.type, enabled=half):
            stems: Tensor = self.model(mixture)
        return stems[:, self.order].float()
