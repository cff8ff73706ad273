"""What may kill its process, in a process of its own: engines, converters."""
