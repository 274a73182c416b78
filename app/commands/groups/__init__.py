"""Groups of commands: their names, arguments and exit codes. What they do is in the modules beside this folder."""
