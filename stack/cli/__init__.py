"""The command line: thin, because the supervisor does the work; a command's file is loaded when it is called."""
