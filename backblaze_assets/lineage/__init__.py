"""What is up to date, and why not; what is to be made next; where a result comes from.

Belongs here: everything that follows from the graph (`graph.py`), from what the data folder has
(`view`) and from Dagster's records (`ledger`): how each partition stands (`status`), what to make
next (`plan`), where a result comes from (`tracing`), what is of no use any more (`pruning`); and
what all assets do around their own work (`step`, `reuse`, `checking`, `building`). Does not: how
any one asset is made (`assets/`), and what starts work (`cli/`, `automation/`). Shapes no content,
so a change here makes no result out of date.
"""
