from pathlib import Path

from raciflux.evaluation.evaluate import score_run
from raciflux.evaluation.headline import BRIEF, rows, show
from raciflux.evaluation.report.tables import headline_table
from raciflux.workflow.tracking_tables import headline_rows


def test_console_report_and_tracking_show_the_same_numbers(run: Path):
    (evaluation,) = score_run(run)
    listed = rows(evaluation.run, evaluation.baselines, "measured")
    table = headline_table(evaluation.run, evaluation.baselines, "measured")
    assert [line.cells for line in table.lines] == [(row.model, *row.cells.values()) for row in listed]
    assert [column.name for column in table.columns] == ["model", *listed[0].cells]
    tracked = [row for row in headline_rows(evaluation.models) if row["score"] == "measured"]
    assert tracked == [{"score": "measured", "model": row.model, **row.numbers} for row in listed]
    block = evaluation.baselines[0].summary["scores"]["measured"]
    row = listed[1]
    assert row.numbers["q25_r2"] == block["per_site"]["r2"]["q25"] and row.numbers["bias"] == block["pooled"]["bias"]
    assert row.cells["R², middle half of sites"] == " to ".join(
        show(block["per_site"]["r2"][quartile]) for quartile in ("q25", "q75")
    )
    brief = list(row.cells)[:BRIEF]
    assert brief == ["median R²", "median RMSE", "pooled R²", "pooled RMSE", "sites", "clusters", "days"]
    assert listed[-1].ceiling and listed[-1].numbers["bias"] is None and listed[-1].cells["pooled bias"] == "–"
