"""Mutation testing of the package itself: change one operator of the source at a time and see a quick test fail.

``python -m tools.mutants`` does it, from the root of the repository; ``README.md`` here tells how.
"""
