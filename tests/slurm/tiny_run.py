"""What makes a run on a Slurm of this machine small: few places, one training, nothing shown."""

TINY = (
    *("compare=[]", "transfer.finetune.batch_size=8", "trainer.progress=false", "report=false"),
    *("data.source.places=16", "data.source.years=3", "data.split.folds=3", "data.split.min_scored_days=30"),
)
SCRATCH = ("model=lstm", "transfer=scratch")
SILENT = "logger.wandb=disabled"
