"""How long work runs: in several processes, with progress that can be listened to, until Ctrl-C.

Belongs here: what any long computation needs, whatever it computes. Imports no Dagster. Shapes no
content, so a change here makes no result out of date.
"""
