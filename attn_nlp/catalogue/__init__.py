"""The catalogue for readers: parts by name, a page for each, and one page of all.

Everything is made from the registry lines, so no part can be missing and nothing can be out of
date. Nothing here imports JAX, and finding a part (`lookup`) does not import what the pages need.
"""
