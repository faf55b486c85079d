"""A report: everything about an experiment in one HTML file that works offline.

    html = page(report(resolved, records, prepared=folder))

Input is the content of a store, output is text. Nothing here imports JAX.
"""

from attn_nlp.report.build import COLUMNS, Report, report
from attn_nlp.report.page import page

__all__ = ["COLUMNS", "Report", "page", "report"]
