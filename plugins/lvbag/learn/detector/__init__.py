"""A detector from a label set to a version: its recipe, pictures and boxes, weights, figures and files."""
