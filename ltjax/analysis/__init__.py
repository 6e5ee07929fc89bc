"""Run folders in, honest tables, pictures and reports out; imports no JAX."""

from __future__ import annotations

from ltjax.analysis.groups import Group, by_data, group_runs
from ltjax.analysis.published import Published, read_published
from ltjax.analysis.report import write_report
from ltjax.analysis.runs import Run, RunError, Runs, find_runs, load_run
from ltjax.analysis.stats import Paired, Summary, paired_difference, summary
from ltjax.analysis.table import Table, comparison

__all__ = [
    "Group", "Paired", "Published", "Run", "RunError", "Runs", "Summary", "Table", "by_data", "comparison",
    "find_runs", "group_runs", "load_run", "paired_difference", "read_published", "summary", "write_report",
]
