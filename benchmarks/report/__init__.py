"""The report on the models of a folder: one page that needs no other file."""
