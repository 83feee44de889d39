"""The suspicious labels of a snapshot, found by networks that have not seen them."""
