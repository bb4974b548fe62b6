"""What is checked before anything is changed in an account."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from deploy.errors import DeployError
from deploy.names import APPS, ROOT
from shared.policy.cli.checks import find_mistakes
from shared.policy.loading import VENDORED_POLICY_FILE, PolicyFileError, read_policy_file

RUNTIMES: Final = ((3, 11), (3, 12), (3, 13), (3, 14))
"""Python versions that the apps support and Lambda runs; Chalice deploys the version that runs it.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
"""


def check(
    *, root: Path = ROOT, version: tuple[int, int] = sys.version_info[:2], policy: Path = VENDORED_POLICY_FILE
) -> None:
    """Check the machine and the checkout.

    Args:
        root: the repository.
        version: of the Python that deploys.
        policy: the policy file that will ship.

    Raises:
        DeployError: with one sentence per problem.
    """
    found = list(problems(root=root, version=version, policy=policy))
    if found:
        raise DeployError(" ".join(found))


def problems(*, root: Path, version: tuple[int, int], policy: Path) -> Iterator[str]:
    """Yield one sentence per problem of machine and checkout."""
    if version not in RUNTIMES:
        known = ", ".join(f"{major}.{minor}" for major, minor in RUNTIMES)
        yield (
            f"This is Python {version[0]}.{version[1]}; the functions run on the Python version that deploys, and "
            f"Lambda has {known}: make the virtual environment again with one of these."
        )
    yield from link_problems(root)
    yield from policy_problems(policy)


def link_problems(root: Path = ROOT) -> Iterator[str]:
    """Yield one sentence per symlink that a checkout without symlinks turned into a file."""
    links = {f"{app}/vendor/shared": "shared" for app in APPS} | {f"{app}/.chalice": f".chalice/{app}" for app in APPS}
    for link, target in links.items():
        if (root / link).resolve() != (root / target).resolve() or not (root / link).is_dir():
            yield (
                f"{link} is not a symlink to {target}: check out again with symlinks "
                "(git config core.symlinks true; on Windows within WSL)."
            )


def policy_problems(policy: Path) -> Iterator[str]:
    """Yield why a policy file cannot be used, or one sentence per contradiction in it."""
    try:
        mistakes = find_mistakes(read_policy_file(policy), has_bot_token=True)
    except PolicyFileError as error:
        yield str(error)
        return
    for mistake in mistakes:
        if mistake.severity == "error":
            yield f"Policy file {policy}: {mistake.key}: {mistake.meaning}. {mistake.remedy}"
