"""Run folders in, honest tables, pictures and reports out; imports no JAX."""

from __future__ import annotations

from ltjax.analysis.groups import Group, group_runs
from ltjax.analysis.runs import Run, RunError, Runs, find_runs, load_run
from ltjax.analysis.stats import Paired, Summary, paired_difference, summary
from ltjax.analysis.table import Table, comparison

__all__ = [
    "Group", "Paired", "Run", "RunError", "Runs", "Summary", "Table", "comparison", "find_runs", "group_runs",
    "load_run", "paired_difference", "summary",
]
