"""From a config to a finished run: preparation, the shared step, the loop, checkpoints, the run folder."""
