"""Asking a host for something: politely (`fetcher`, `leases`, `pace`, `robots`, `opt_out`, `challenges`) and safely
(`addresses`, `connection`, `wire`); `files` reads a partner's folder in the same way.

Nothing here knows what a listing or a shard is.
"""
