"""`OPTIONS` of paths that take several methods: the framework's own answer names only the first that was registered."""

from collections.abc import Iterable

from litestar import Response, route
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler


def with_options(handlers: Iterable[HTTPRouteHandler]) -> list[HTTPRouteHandler]:
    """`handlers`, and before them one for `OPTIONS` of each of their paths, which names all of the path's methods."""
    handlers = list(handlers)
    methods: dict[str, set[str]] = {}
    for handler in handlers:
        for path in handler.paths:
            found = methods.setdefault(path, {"OPTIONS"})
            found.update(str(method) for method in handler.http_methods)
            if "GET" in found:  # the fast lane answers HEAD with what GET answers
                found.add("HEAD")
    return [*(_options(path, ", ".join(sorted(found))) for path, found in methods.items()), *handlers]


def _options(path: str, allow: str) -> HTTPRouteHandler:
    @route(
        path,
        http_method=[HttpMethod.OPTIONS],
        status_code=204,
        include_in_schema=False,
        sync_to_thread=False,
    )
    def options() -> Response[None]:
        return Response(None, headers={"Allow": allow})

    return options
