"""Where real inputs of others stand: beside the checkout, no part of the project. Tests skip without them."""

from pathlib import Path

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
