"""The report: one page that opens from disk, made from the tables. Imports no Dagster."""
