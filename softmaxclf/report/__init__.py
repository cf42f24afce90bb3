"""One self-contained HTML page about a run: markup, drawings, tables and the page around them.

Nothing here computes a result: `Facts` (facts.py) holds what the page says, `sections` says it, `page` puts
style, script and a strict content security policy around it.
"""
