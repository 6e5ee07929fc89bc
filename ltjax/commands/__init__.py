"""One module per verb of the front door: its docstring is the help page, `options` its flags, `run` its work."""
