"""Looking after what is stored: taking things down, checking that all is as it was written, collecting garbage.

The functions below are what DAGs and the command line call. Each shows first what it would do. They are imported when
they are first used, so that naming this package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lvbag.lazy import lazy_exports

if TYPE_CHECKING:
    from lvbag.care.copying import copy_store
    from lvbag.care.copying_object import How
    from lvbag.care.errors import CareError
    from lvbag.care.garbage import Limits, collect, plan_collection, plan_registry_collection
    from lvbag.care.takedown import plan_takedown, take_down
    from lvbag.care.targets import Reason, image_target, listing_target, seller_target, url_target
    from lvbag.care.trial import roll_back, try_version
    from lvbag.care.verify import verify_registry, verify_store

_HOMES = {
    "CareError": "errors",
    "How": "copying_object",
    "Limits": "garbage",
    "Reason": "targets",
    "collect": "garbage",
    "copy_store": "copying",
    "image_target": "targets",
    "listing_target": "targets",
    "plan_collection": "garbage",
    "plan_registry_collection": "garbage",
    "plan_takedown": "takedown",
    "roll_back": "trial",
    "seller_target": "targets",
    "take_down": "takedown",
    "try_version": "trial",
    "url_target": "targets",
    "verify_registry": "verify",
    "verify_store": "verify",
}

__all__ = [
    "CareError",
    "How",
    "Limits",
    "Reason",
    "collect",
    "copy_store",
    "image_target",
    "listing_target",
    "plan_collection",
    "plan_registry_collection",
    "plan_takedown",
    "roll_back",
    "seller_target",
    "take_down",
    "try_version",
    "url_target",
    "verify_registry",
    "verify_store",
]

__getattr__ = lazy_exports(__name__, _HOMES)
