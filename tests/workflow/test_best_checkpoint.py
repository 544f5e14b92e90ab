import shutil
import warnings

import torch
from raciflux.workflow.best_checkpoint import BestCheckpoint

from worlds import quiet_trainer


def kept(folder) -> BestCheckpoint:
    return BestCheckpoint(folder, filename="best", monitor="score", save_last=True, enable_version_counter=False)


def test_the_best_score_survives_a_move_of_the_folder(tmp_path):
    (tmp_path / "before").mkdir()
    first = kept(tmp_path / "before")
    first.best_model_score = first.kth_value = torch.tensor(1.5)
    first.best_model_path = first.kth_best_model_path = str(tmp_path / "before" / "best.ckpt")
    first.best_k_models = {first.best_model_path: torch.tensor(1.5)}
    state = first.state_dict()
    shutil.move(tmp_path / "before", tmp_path / "after")
    second = kept(tmp_path / "after")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        second.load_state_dict(state)
    assert second.best_model_score == 1.5
    assert second.best_k_models == {str(tmp_path / "after" / "best.ckpt"): torch.tensor(1.5)}
    assert not second.check_monitor_top_k(quiet_trainer(tmp_path), torch.tensor(2.0)), "a worse score replaces nothing"
    assert second.check_monitor_top_k(quiet_trainer(tmp_path), torch.tensor(1.0))
