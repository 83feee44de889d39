"""Which product a listing's title names. The query that found a listing is no label; its title is, if it is clear.

`match_title` is what the crawl and the command line call. `vocabulary` and its two files know the words, `reading` cuts
a title into them, `lines` finds the line, `products` the product of it, `no_bag` what is no bag of this maker.
"""

from __future__ import annotations

from lvbag.crawl.titles.matching import Match, match_title

__all__ = ["Match", "match_title"]
