"""Whether a night can be believed: expectations over its rows and the night as a whole, and the pages that say so.

Begin with `expectations`, where everything that is expected is declared; `validate` runs it.
"""
