"""A complete page around fragments of HTML that works offline, loads nothing and runs nothing."""

from __future__ import annotations

import base64
import hashlib
import html

# The style of the fragments of a table; a report uses it too.
STYLE = """
:root {
  color-scheme: light dark;
  --attn-ink: #1a1a1a; --attn-quiet: #595959; --attn-paper: #ffffff; --attn-rule: #b8b8b8;
  --attn-good: #00603c; --attn-bad: #a11a00; --attn-same: #1c5480;
}
@media (prefers-color-scheme: dark) {
  :root {
    --attn-ink: #ececec; --attn-quiet: #adadad; --attn-paper: #161616; --attn-rule: #5c5c5c;
    --attn-good: #6fd6a5; --attn-bad: #ff9d85; --attn-same: #8cc8f5;
  }
}
.attn-table { margin: 2rem 0; color: var(--attn-ink); }
.attn-scroll { overflow-x: auto; }
.attn-table table { border-collapse: collapse; font-variant-numeric: tabular-nums;
  border-top: 2px solid var(--attn-ink); border-bottom: 2px solid var(--attn-ink); }
.attn-table caption { text-align: left; padding-bottom: .5rem; }
.attn-subtitle, .attn-table figcaption, .attn-source, .attn-tag { color: var(--attn-quiet); }
.attn-table th, .attn-table td { padding: .3rem .7rem; text-align: left; vertical-align: top; }
.attn-table th { font-weight: 600; }
.attn-table tbody th { font-weight: 400; max-width: 24rem; overflow-wrap: break-word; }
.attn-table .attn-reference th { font-weight: 600; }
.attn-table thead th[scope="colgroup"] { border-bottom: 1px solid var(--attn-rule); }
.attn-table .attn-path, .attn-tag { font-weight: 400; color: var(--attn-quiet); }
.attn-table tbody { border-top: 1px solid var(--attn-ink); }
.attn-table .attn-source { min-width: 10rem; }
.attn-own, .attn-difference { white-space: nowrap; }
.attn-count { display: block; }
.attn-score .attn-mean { display: inline-block; min-width: 5ch; text-align: right; }
.attn-score .attn-half { display: inline-block; min-width: 4.5ch; }
.attn-table .attn-cost, .attn-table .attn-parameters { text-align: right; }
.attn-better, .attn-better-within-margin { color: var(--attn-good); }
.attn-worse, .attn-worse-within-margin { color: var(--attn-bad); }
.attn-equivalent { color: var(--attn-same); }
.attn-undecided, .attn-missing { color: var(--attn-quiet); }
.attn-table figcaption { font-size: .85rem; max-width: 60rem; margin-top: .6rem; }
.attn-legend, .attn-footnotes { margin: 0 0 .6rem; }
.attn-legend div, .attn-footnotes div { display: flex; gap: .5rem; }
.attn-legend dt, .attn-footnotes dt { flex: 0 0 1.6rem; }
.attn-legend dd, .attn-footnotes dd { margin: 0; overflow-wrap: anywhere; }
.attn-notes { margin: 0; padding-left: 1.1rem; overflow-wrap: anywhere; }
.attn-table a { color: inherit; }
@media print { .attn-scroll { overflow: visible; } .attn-table tr { break-inside: avoid; } }
"""

_BODY = """
body { margin: 0 auto; max-width: 80rem; padding: 1rem 1.5rem; background: var(--attn-paper);
  color: var(--attn-ink); font: 1rem/1.45 system-ui, sans-serif; }
h1 { font-size: 1.3rem; overflow-wrap: anywhere; }
"""


# The first lines of every page of this package, including reports.
TOP = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="generator" content="attn-nlp">
"""


def page(title: str, body: str) -> str:
    """Return a complete HTML document.

    Args:
      title: plain text, for the window and the heading.
      body: HTML that is already safe.

    Returns:
      HTML whose policy lets a browser load nothing and run nothing; its one style is allowed by
      its hash.
    """
    style = STYLE + _BODY
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    shown = html.escape(title)
    return f"""{TOP}<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{shown}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{shown}</h1>
{body}</main>
</body>
</html>
"""
