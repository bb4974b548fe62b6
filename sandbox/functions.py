"""Lambda: the functions of an app in one account and region, with as many processes as run at once.

Like Lambda it gives each invocation a process of its own and keeps processes for the next one. Functions that have
a role of their own have processes of their own. Retries are in ``invocations.py``, the process itself in
``environments.py``.
"""

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sandbox.aws.identities import Credentials
from sandbox.declarations import Declarations
from sandbox.environments import Environment, Mode, Result
from sandbox.errors import SandboxError
from sandbox.wiring import Deployment, Function

#: Chalice's name for the function behind all routes.
REST_API = "api_handler"


class FunctionHost:
    """An app in one account and region."""

    def __init__(
        self,
        *,
        app: str,
        folder: Path,
        account: str,
        region: str,
        settings: Mapping[str, str],
        role_of: Callable[[str], str],
        new_credentials: Callable[[str, str], Credentials],
        concurrency: int,
        timeout_seconds: float,
        log: Callable[[str], None],
    ) -> None:
        """Prepare a host.

        Args:
            app: the app's name.
            folder: where its ``app.py`` is.
            account: 12-digit account that it runs in.
            region: its region.
            settings: its environment variables.
            role_of: names the role of a function.
            new_credentials: makes the credentials of a process: a session of a role, named after a function.
            concurrency: how many invocations under one role may run at once; more of them wait.
            timeout_seconds: after this an invocation is ended.
            log: gets each line that a process prints.
        """
        self.app, self.account, self.region = app, account, region
        self._folder = folder
        self._settings = dict(settings)
        self._role_of = role_of
        self._new_credentials = new_credentials
        self._concurrency = concurrency
        self._timeout_seconds = timeout_seconds
        self._log = log
        self._condition = threading.Condition()
        self._first: Environment | None = None
        self._idle: dict[str, list[Environment]] = defaultdict(list)
        self._running: Counter[str] = Counter()
        self._all: set[Environment] = set()
        self._routes: Environment | None = None
        self._declarations: Declarations | None = None
        self._closed = False

    def begin(self, function: str) -> None:
        """Start the process of a function; several hosts begin at once, then each :meth:`wait_until_ready`."""
        self._first = self._new("events", function)
        self._idle[self._role_of(function)].append(self._first)

    def wait_until_ready(self) -> None:
        """Wait for that process, and for the one that serves the routes if the app has any."""
        if self._first is None:
            raise SandboxError(f"{self.app} was not begun.")
        self._declarations = self._first.wait_until_ready()
        if self._declarations.routes:
            self._serve_routes()

    @property
    def deployment(self) -> Deployment:
        """What the app declares, and where it runs."""
        if self._declarations is None:
            raise SandboxError(f"{self.app} in {self.account} {self.region} does not run yet.")
        return Deployment(app=self.app, account=self.account, region=self.region, declarations=self._declarations)

    @property
    def url(self) -> str:
        """Where the app's routes answer; the process behind it is started again if it died."""
        with self._condition:
            alive = self._routes is not None and self._routes.is_alive
        if not alive:
            self._serve_routes()
        if self._routes is None:
            raise SandboxError(f"{self.app} has no routes.")
        return self._routes.url

    def invoke(self, function: Function, event: Mapping[str, Any], request_id: str) -> Result:
        """Run a function in a free process, waiting for one if all are busy."""
        environment = self._take(function.name)
        try:
            return environment.invoke(function, event, request_id, self._timeout_seconds)
        finally:
            self._give_back(function.name, environment)

    def environment_of(self, access_key_id: str) -> Environment | None:
        """Find the process whose credentials have this access key."""
        with self._condition:
            for environment in self._all:
                if environment.credentials.access_key_id == access_key_id:
                    return environment
        return None

    def close(self) -> None:
        """End all processes."""
        with self._condition:
            self._closed = True
            everything, self._all = list(self._all), set()
            self._idle.clear()
            self._condition.notify_all()
        for environment in everything:
            environment.close()

    def _new(self, mode: Mode, function: str) -> Environment:
        credentials = self._new_credentials(self._role_of(function), function)
        environment = Environment(self._folder, mode, credentials, self._settings, self._log)
        with self._condition:
            self._all.add(environment)
        return environment

    def _serve_routes(self) -> None:
        environment = self._new("http", REST_API)
        declarations = environment.wait_until_ready()
        # Its calls are those of the one function behind the routes.
        environment.function = declarations.routes[0].function
        with self._condition:
            previous, self._routes = self._routes, environment
        if previous is not None:
            self._drop(previous)

    def _take(self, function: str) -> Environment:
        role = self._role_of(function)
        with self._condition:
            self._condition.wait_for(lambda: self._closed or self._running[role] < self._concurrency)
            if self._closed:
                raise SandboxError("The sandbox stops.")
            self._running[role] += 1
            if self._idle[role]:
                return self._idle[role].pop()
        try:
            environment = self._new("events", function)
            environment.wait_until_ready()
        except BaseException:
            with self._condition:
                self._running[role] -= 1
                self._condition.notify_all()
            raise
        return environment

    def _give_back(self, function: str, environment: Environment) -> None:
        role, alive = self._role_of(function), environment.is_alive
        with self._condition:
            self._running[role] -= 1
            if alive and not self._closed:
                self._idle[role].append(environment)
            self._condition.notify_all()
        if not alive:
            self._drop(environment)

    def _drop(self, environment: Environment) -> None:
        with self._condition:
            if environment not in self._all:
                return
            self._all.discard(environment)
        environment.close()
