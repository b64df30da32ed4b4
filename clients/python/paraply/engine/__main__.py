"""Runs one engine of a cluster."""

from paraply_engine import main

main()
