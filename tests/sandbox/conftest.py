"""A sandbox with the tiny apps, for the tests of the engine."""

from collections.abc import Iterator

import pytest

from sandbox.settings import SHOP, SandboxSettings
from sandbox.system import Sandbox
from tests.sandbox.tiny_apps import CENTRAL, MEMBER, write_app
from tests.support import quick_moto

quick_moto.remember()


@pytest.fixture(scope="session")
def tiny_settings(tmp_path_factory: pytest.TempPathFactory) -> SandboxSettings:
    """One member account in one region, running the tiny apps."""
    folder = tmp_path_factory.mktemp("apps")
    return SandboxSettings(
        members=(SHOP,),
        regions=("eu-west-1",),
        aws_port=0,
        central_app=write_app(folder / "central", CENTRAL),
        member_app=write_app(folder / "member", MEMBER),
        retry_delays_seconds=(0.05, 0.05),
        schedules_run_by_themselves=False,
    )


@pytest.fixture(scope="module")
def tiny(tiny_settings: SandboxSettings) -> Iterator[Sandbox]:
    """A sandbox with the tiny apps, shared by the tests of a module."""
    with Sandbox(tiny_settings) as sandbox:
        yield sandbox
