"""The viewer: a data folder in the browser, on this machine only.

It shows report, film, frames and tables. It only reads, and of the data folder only what
`files.SERVED` names. It imports no Dagster, so that it is there at once.
"""
