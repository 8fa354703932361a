"""The OpenAPI page at `/docs`, with assets of our own: it loads nothing from elsewhere."""

from importlib import resources
from typing import Any

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.openapi.plugins import OpenAPIRenderPlugin

_MEDIA_TYPES = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>smsledger API</title>
<link rel="icon" type="image/png" href="/docs/assets/favicon-32x32.png">
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script>
SwaggerUIBundle({
  url: "/docs/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  persistAuthorization: true,
  validatorUrl: null, // else the page asks a server elsewhere to judge the document
});
</script>
</body>
</html>
"""


class DocsPage(OpenAPIRenderPlugin):
    """Swagger UI from our own assets."""

    def __init__(self) -> None:
        super().__init__(path="/")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002 - the framework's signature
        """The page; it fetches the document itself."""
        return _PAGE.encode()


@get("/docs/assets/{name:str}", include_in_schema=False, sync_to_thread=False)
def docs_asset(name: str) -> Response[bytes]:
    """One of the page's assets."""
    if name not in _MEDIA_TYPES:
        raise NotFoundException(f"no asset {name}")
    content = (resources.files("smsledger.http") / "assets" / name).read_bytes()
    return Response(content, media_type=_MEDIA_TYPES[name], headers={"Cache-Control": "max-age=86400"})


PLUGINS = [DocsPage()]
HANDLERS = [docs_asset]
