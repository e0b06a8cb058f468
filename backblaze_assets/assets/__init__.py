"""How each asset is made, one module each: read inputs, call the domain, write, say what was made.

`lineage/building.py` says what a module has. Only the function that makes an asset and what it uses
count as the asset's code: what chooses inputs or their order belongs into it, and what is told of
the result, and its checks, do not.
"""
