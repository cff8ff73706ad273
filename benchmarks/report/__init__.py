"""The report: what was found out about the models of a folder, in one page that needs nothing else."""
