"""The sub-commands of `lvbag`, one module each; `lvbag.cli` mounts them.

They read arguments, call the functions that DAGs and pages call, and print: tables for people, JSON lines for machines
(`--json`). A command that could not do what was asked ends with status 1.
"""
