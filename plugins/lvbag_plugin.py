"""The only file that Airflow's plugin manager sees: it adds the page *LV bag* to the web interface.

Every component of Airflow loads plugins, workers too, so nothing is imported before the first request.
"""

from __future__ import annotations

from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin


class _LazyApp:
    """An ASGI app that is built when it is first asked."""

    def __init__(self) -> None:
        self._app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._app is None:
            from lvbag.settings import load_settings
            from lvbag.store import open_store
            from lvbag.web.pages import create_app
            from lvbag.web.security import signed_in

            self._app = create_app(lambda: open_store(load_settings()), signed_in())
        await self._app(scope, receive, send)


class LvbagPlugin(AirflowPlugin):
    """Registers the app and its entry in the navigation."""

    name = "lvbag"
    fastapi_apps: ClassVar[list[Any]] = [{"app": _LazyApp(), "url_prefix": "/lvbag", "name": "LV bag"}]
    external_views: ClassVar[list[Any]] = [
        {"name": "LV bag", "href": "/lvbag/", "destination": "nav", "url_route": "lvbag"}
    ]
