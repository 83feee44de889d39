"""The data set: what a snapshot holds, where each picture is put, how it is written, checked and compared.

Begin with `snapshot`; `draft` decides without a store, `splits` deals groups to train, val and test, `straddle` checks.
"""
