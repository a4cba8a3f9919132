"""The promotion gate, which runs in the trainer: its rule travels in each run's spec."""

from __future__ import annotations

from contract.gate import GateRule
from gateway.settings.base import Group


class GateSettings(GateRule, Group):
    """What a trained version must show before it is published beside a stable one."""

    @property
    def rule(self) -> GateRule:
        """The record that a spec carries."""
        return GateRule(**self.model_dump())
