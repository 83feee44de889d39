"""A classifier from a snapshot to a version: its recipe, pictures, network, loop, figures and files."""
