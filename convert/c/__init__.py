"""The third export: C that needs nothing."""
