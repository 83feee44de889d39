"""Which labels are likely wrong, from what networks answered that have not seen them: cleanlab's confident learning
(Northcutt, Jiang and Chuang 2021, https://doi.org/10.1613/jair.1.12125)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RANKED_BY = "self_confidence"
"""By the probability of the label itself, cleanlab's own choice."""


@dataclass(frozen=True)
class Suspicions:
    """Of each picture: how good its label looks (0 to 1), and whether confident learning takes it for wrong."""

    quality: npt.NDArray[np.float64]
    suspicious: npt.NDArray[np.bool_]


def judge_labels(labels: npt.NDArray[np.int64], probabilities: npt.NDArray[np.float64]) -> Suspicions:
    """Judge labels by out-of-sample probabilities (pictures, products).

    Quality is the probability that the network gives the label.
    """
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    kept, own = np.unique(labels, return_inverse=True)  # cleanlab wants every class to have a picture
    if len(kept) < 2:  # nothing else that they could be
        return Suspicions(np.ones(len(labels)), np.zeros(len(labels), np.bool_))
    shares = probabilities[:, kept]
    shares = shares / np.maximum(shares.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    quality = np.asarray(get_label_quality_scores(own, shares, method=RANKED_BY), np.float64)
    wrong = np.asarray(find_label_issues(own, shares, n_jobs=1), np.bool_)  # no processes within a task
    return Suspicions(quality, wrong)
