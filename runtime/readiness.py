"""Whether the API that was just started says that it is ready. What ready means is the API's own decision."""

import http.client


def reachable_host(host: str) -> str:
    """Where to reach an API that listens on `host`, as it stands in a URL."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104  # compared, not bound
    return f"[{host}]" if ":" in host else host


def why_not_ready(host: str, port: int) -> str | None:
    """None where the API says that it is ready."""
    connection = http.client.HTTPConnection(host, port, timeout=2.0)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        body = answer.read(2_000).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return f"the API does not answer ({str(error) or type(error).__name__})"
    finally:
        connection.close()
    return None if answer.status == http.client.OK else f"/readyz answers {answer.status} {body}"
