"""Measurements: latency, accuracy on boards, comparisons; and the pages that show them."""
