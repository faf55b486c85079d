"""The catalogue as a reader sees it: parts found by name, a page for each, one page of all.

Everything is made of what the registry lines say, so that no part can be missing and nothing can be
out of date. Nothing here imports JAX, and finding a part (`lookup`) does not wait for what its page
or the page of all needs.
"""
