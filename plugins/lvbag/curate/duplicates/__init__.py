"""Which pictures show the same photograph: fingerprints compared, each picture linked to the best one of its cluster.

Begin with `linking`; `hash_index` finds candidates, `nearness` and `pairing` confirm them, `placing` keeps clusters.
"""
