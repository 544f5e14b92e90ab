"""Keeping the best weights of a stage, also when the run folder was moved before it was gone on with."""

from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import ModelCheckpoint


class BestCheckpoint(ModelCheckpoint):
    """Remembers the best score wherever the folder stands now.

    Lightning forgets it once the folder has another path than when it was written, and the next validation, however
    bad, would overwrite the best weights.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over an earlier session's state with its paths turned to this folder."""
        here = dict(state_dict, dirpath=self.dirpath)
        for name in ("best_model_path", "kth_best_model_path", "last_model_path"):
            here[name] = self._moved(state_dict[name])
        here["best_k_models"] = {self._moved(path): score for path, score in state_dict["best_k_models"].items()}
        super().load_state_dict(here)

    def _moved(self, path: str) -> str:
        return str(Path(self.dirpath or "") / Path(path).name) if path else path
