"""Where files live, how they are written whole or not at all, and what each says of itself.

Belongs here: paths below the data folder, atomic writes, the origin that every file carries and
whether its content is what that says; the hidden folder beside the results: those that were
replaced (`kept`), records of runs (`records`), source of code (`sources`).
Does not: what is in the files (the domain packages), and whether they are up to date (`lineage/`).
Imports no Dagster. Shapes no content, so a change here makes no result out of date.
"""
