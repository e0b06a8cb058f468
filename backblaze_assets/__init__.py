"""Backblaze drive statistics as Dagster assets.

Deliberately empty: worker processes import submodules of this package and must not pay for Dagster.
"""
