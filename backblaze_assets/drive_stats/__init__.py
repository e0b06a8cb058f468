"""The data: zips, rows, lifetimes and failure rates as pure functions. Imports no Dagster."""
