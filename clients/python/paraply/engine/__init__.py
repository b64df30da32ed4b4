"""`python -m paraply.engine` runs an engine; its code is in the distribution `paraply-engine`."""
