"""Experiment files and parts of the user's own: how they are run, hashed and watched."""
