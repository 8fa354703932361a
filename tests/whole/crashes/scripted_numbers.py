"""How messages to the scripted numbers of docs/simulator.md end, whatever happens to the service meanwhile."""

SCRIPTED = {
    "+15005550001": ("DELIVERED", None),
    "+15005550002": ("UNDELIVERED", "30003"),
    "+15005550003": ("FAILED", "30007"),
    "+15005550004": ("FAILED", "21610"),
    "+15005550005": ("UNDELIVERED", "RECEIPT_OVERDUE"),
    "+15005550006": ("DELIVERED", None),
    "+15005550007": ("DELIVERED", None),
    "+15005550008": ("DELIVERED", None),
    "+15005550009": ("DELIVERED", None),
    "+15005550010": ("DELIVERED", None),
    "+15005550011": ("DELIVERED", None),
    "+15005550012": ("DELIVERED", None),
    "+15005550013": ("DELIVERED", None),
    "+15005550014": ("DELIVERED", None),
    "+15005550015": ("DELIVERED", None),
    "+15005550016": ("FAILED", "RATE_LIMITED"),
}
"""Recipient to the final status and error code."""
SLOW_SCRIPTS = ("+15005550005", "+15005550016")
"""The one that waits for a receipt that never comes, and the one that uses up every attempt."""
