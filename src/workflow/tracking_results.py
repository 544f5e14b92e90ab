"""Weights & Biases after evaluation: one run a model and target, with the report's tables, figures and page."""

import io
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from ..config.schema import Config
from ..evaluation.evaluate import Evaluation
from ..evaluation.headline import COUNTS
from ..evaluation.report.write import write_report
from ..evaluation.run_folder import RunFolder
from ..evaluation.scored import ScoredRun
from ..evaluation.scores.trust import FARTHEST
from .tracking_run import Told, open_run, public
from .tracking_tables import context_table, group_rows, headline_rows, neighbour_table, scale_rows, trust_table

if TYPE_CHECKING:
    import wandb

ID_FILE = "wandb_result_id.txt"
LARGEST_PAGE = 20_000_000  # bytes of a report that is sent: a browser tab should open it at once
SHARED = ("pair", "target", "units", "quality", "question", "causal", "min_scored_days")


def log_results(config: Config, folder: Path, evaluations: Sequence[Evaluation]) -> None:
    """Tell W&B what the evaluation of a run found: scores to sort by, tables, figures and the report.

    Parameters
    ----------
    config : configuration of the command; its ``logger`` says where to, or that nothing is told.
    folder : run folder of the command.
    """
    if config.logger.wandb == "disabled":
        return
    for evaluation in evaluations:
        for model in evaluation.models:
            id_file = model.folder.scored_path / ID_FILE
            with open_run(config, _told(model, folder), folder, id_file) as run:
                run.summary.update(sorting_keys(model.summary))
                _log_table(run, "tables/sites", model.sites.columns, model.sites.rows())
                if model is evaluation.run:
                    _show(run, evaluation)


def sorting_keys(summary: Mapping[str, Any]) -> dict[str, float]:
    """Flatten the numbers of ``metrics.json`` that runs are sorted by; undefined ones are left out.

    Returns
    -------
    ``score/<score>/median_r2, pooled_r2, ...`` and counts, ``scale/<score>/<time scale>/...``,
    ``ceiling/<score>/...`` where the truth is known, ``interval/<score>/coverage, width, crps`` where there are any,
    ``trust/<score>/rank_correlation, gain`` of the larger of both roles' distances, of a model with a bank.
    """
    keys: dict[str, float | None] = {}
    for score, block in summary["scores"].items():
        keys |= {f"score/{score}/{name}": block[name] for name in COUNTS}
        keys |= _medians_and_pooled(f"score/{score}", block)
        for scale, numbers in block["time_scales"].items():
            keys |= _medians_and_pooled(f"scale/{score}/{scale}", numbers)
        if block["noise_ceiling"]:
            keys |= _medians_and_pooled(f"ceiling/{score}", block["noise_ceiling"])
        uncertainty = block["intervals"] or {}
        if bounds := uncertainty.get("bounds"):
            keys[f"interval/{score}/coverage"] = bounds["coverage"]["mean"]
            keys[f"interval/{score}/width"] = bounds["width"]["mean"]
        if quantiles := uncertainty.get("quantiles"):
            keys[f"interval/{score}/crps"] = quantiles["crps"]["mean"]
        if trust := block["trust"]:
            for statistic in ("rank_correlation", "gain"):
                keys[f"trust/{score}/{statistic}"] = trust[statistic][FARTHEST]["value"]
    return {name: value for name, value in keys.items() if value is not None}


def _medians_and_pooled(place: str, block: Mapping[str, Any]) -> dict[str, float | None]:
    medians = {f"{place}/median_{metric}": spread["median"] for metric, spread in block["per_site"].items()}
    return medians | {f"{place}/pooled_{metric}": value for metric, value in block["pooled"].items()}


def _told(model: ScoredRun, folder: Path) -> Told:
    """Describe the result of a model: its name, its tags, and its own configuration without paths."""
    summary, folds = model.summary, sorted(set(model.predictions["fold"].to_numpy().tolist()))
    seed = () if summary["seed"] is None else (f"seed{summary['seed']}",)
    tested = f"fold{folds[0]}" if len(folds) == 1 else "all folds"
    return Told(
        job="result",
        name="-".join([model.model, summary["target"], *(text.replace("seed", "s") for text in seed)]),
        tags=(model.model, summary["pair"], summary["target"], tested, *seed),
        config=_own_config(model.folder) | {name: summary[name] for name in SHARED} | {"run": folder.name},
    )


def _own_config(folder: RunFolder) -> dict[str, Any]:
    config = OmegaConf.to_container(OmegaConf.create(folder.config_text()))
    assert isinstance(config, dict)
    return public({str(name): value for name, value in config.items()})


def _show(run: "wandb.Run", evaluation: Evaluation) -> None:
    """Send what the report of the main model shows: tables of all models, figures, and the page itself."""
    import wandb

    models = evaluation.models
    for name, rows in (
        ("headline", headline_rows(models)),
        ("time_scales", scale_rows(models)),
        ("groups", group_rows(models)),
        ("trust", trust_table(models)),
        ("context", context_table(models)),
        ("neighbours", neighbour_table(evaluation.run)),
    ):
        if rows:
            _log_table(run, f"tables/{name}", list(rows[0]), [tuple(row.values()) for row in rows])
    for figure in evaluation.figures:
        image = wandb.Image(str(figure.path), caption=f"{figure.title}. {figure.caption}")
        run.log({f"figures/{figure.path.stem}": image})
    page = public_report(evaluation)
    if len(page.encode()) <= LARGEST_PAGE:
        run.log({"report": wandb.Html(io.StringIO(page), inject=False)})


def _log_table(run: "wandb.Run", name: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Send a table as a file of the run: logged plainly it would be an artifact, whose manifest tells a local path."""
    import wandb

    table = wandb.Table(columns=list(columns), data=[list(row) for row in rows])
    table.bind_to_run(run, name, run.step)  # type: ignore[no-untyped-call]
    run.log({name: table})


def public_report(evaluation: Evaluation) -> str:
    """Return the report's page without the paths of this machine: they stand in its configuration and command."""
    own = evaluation.run.folder
    run = replace(evaluation.run, folder=_WithoutMachine(own.path, own.target))
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        write_report(run, evaluation.baselines, evaluation.figures, page)
        return page.read_text(encoding="utf-8")


class _WithoutMachine(RunFolder):
    """A run folder that says what it is and not where."""

    def config_text(self) -> str:
        return OmegaConf.to_yaml(OmegaConf.create(_own_config(RunFolder(self.path))))

    def command(self) -> str:
        return ""
