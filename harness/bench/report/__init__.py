"""The report: one HTML page with plots and what they mean, made from the results of a run."""

from harness.bench.report.page import write

__all__ = ["write"]
