"""The client comes without the package's admin client, and takes it from nobody who wants it."""

from __future__ import annotations

import subprocess
import sys


def run(script: str) -> str:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout


def test_the_admin_client_is_not_imported_with_the_store_and_comes_when_asked_for() -> None:
    script = (
        "import sys, lvbag.store\n"
        "print([name for name in ('minio.minioadmin', 'Crypto') if name in sys.modules])\n"
        "import minio\nfrom minio import MinioAdmin\nprint(MinioAdmin.__module__, hasattr(minio, 'no'))"
    )

    assert run(script).splitlines() == ["[]", "minio.minioadmin False"]


def test_a_package_that_somebody_imported_before_is_left_whole() -> None:
    script = "import minio\nadmin = minio.MinioAdmin\nimport lvbag.store\nprint(minio.MinioAdmin is admin)"

    assert run(script).split() == ["True"]
