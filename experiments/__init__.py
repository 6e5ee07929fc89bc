"""Studies: one question each, run by one command, ending in a table or a picture."""
