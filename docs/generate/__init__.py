"""The tables of the reference: `python -m docs.generate` writes them into docs/reference/, between their marks.

A table is between `<!-- generated: NAME ARGUMENT -->` and `<!-- end -->`. The text around it is written by hand.
`blocks` knows the names.
"""
