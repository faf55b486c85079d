"""Experiment files and parts in the user's code: how they are run, hashed and watched."""
