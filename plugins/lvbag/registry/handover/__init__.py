"""What an exported version takes along: `example.py`, which runs without lvbag. Nothing here is imported."""
