"""The administration of an installation: organizations, keys, templates, senders; one file a resource.

Each file has what is shown of its resource, the commands that change it, the port that stores it, and the use cases
between them. Both surfaces, `/v1/admin` and `smsledger admin`, call these and nothing else. Messages are no business
of it, and who may administer is decided by the surfaces.
"""
