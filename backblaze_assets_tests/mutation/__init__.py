"""How many small changes to the code the tests notice.

    python -m backblaze_assets_tests.mutation --paths backblaze_assets/lineage --max 100 --workers 2

Each change is made in a temporary copy of the repository, never in place. First run the tests that
have noticed other changes of the same file, then the fast ones that mirror it (`pkg/a/b.py`:
`pkg_tests/a/test_b.py`, then the rest of `pkg_tests/a`), then all other fast ones that may run code
of it, then the slow ones that mirror it; of each, those first that have noticed most so far. A test
that notices a change is run once more without it, and has to pass. A change that no test can notice
goes into `ignored.txt`, with the reason.
"""
