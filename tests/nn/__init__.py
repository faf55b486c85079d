"""Tests of the attention stage."""
