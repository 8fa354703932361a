"""The service held against the API page of UseTransactional: section by section, as a client written against the page sees it.

Nothing here knows what the page does not say: no position header, no table. What the page leaves open is the issue of
the suites beside this one.
"""
