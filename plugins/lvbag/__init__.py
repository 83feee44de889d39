"""lvbag keeps a bag classifier fresh by itself: crawl, curate, detect, train, promote.

The package is laid out in floors; a floor imports only the floors below it (see `docs/architecture.md`):

- ground: `settings`, `catalog`, `schemas`, `nights`, `store`, `images`
- first: `registry`, `labels`, `infer`
- second: `crawl`, `curate`, `learn` (which never import one another)
- top: `services`, `orchestrate`, `care`, `demo`, `web`, `commands`, `cli`
"""

__version__ = "0.1.0"
