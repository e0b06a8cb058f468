"""The job in which Dagster materializes assets that are selected by hand."""

IMPLICIT_ASSET_JOB = "__ASSET_JOB"
"""Its name, which Dagster does not publish (1.13: `IMPLICIT_ASSET_JOB_NAME`).

A schedule needs a job, and a job of ours cannot have both quarters and days. Where Dagster calls it
something else, definitions do not load and say so; then the schedule has to go.
"""
