"""The command line: ``python -m sandbox`` serves the page, ``python -m sandbox demo`` plays the story in a terminal."""

import argparse
import os
import sys
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Run a command; the result is the exit status."""
    chosen = _parser().parse_args(arguments)
    try:
        # Imported here, so that a missing package gives a sentence instead of a traceback.
        from deploy.preflight import link_problems
        from sandbox.errors import SandboxError
        from sandbox.interactive import Options, stay_up
        from sandbox.story import play_demo
        from sandbox.terminal import Terminal
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        print(f"The package {package} is missing. Run “make venv”, then use .venv/bin/python.", file=sys.stderr)
        return 1
    broken = list(link_problems())
    if broken:
        print(*broken, sep="\n", file=sys.stderr)
        return 1
    options = Options(
        port=chosen.port,
        aws_port=chosen.aws_port,
        opens_browser=not chosen.no_browser,
        seeds_demo=chosen.seed_demo,
        policy_file=chosen.policy,
    )
    try:
        if chosen.command == "demo":
            return 0 if play_demo(Terminal()) else 1
        return stay_up(Terminal(), options)
    except SandboxError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox", description="The whole system on this machine: AWS, Slack and both apps."
    )
    parser.add_argument(
        "command",
        nargs="?",
        choices=["up", "demo"],
        default="up",
        help="up (the default) keeps everything up and serves the page; demo plays the story in the terminal",
    )
    parser.add_argument(
        "--port", type=int, default=8000, metavar="PORT", help="port of the page, by default 8000; 0 takes a free one"
    )
    parser.add_argument(
        "--aws-port",
        type=int,
        default=5000,
        metavar="PORT",
        help="port of the AWS endpoint, by default 5000; 0 takes a free one",
    )
    parser.add_argument("--no-browser", action="store_true", help="do not open the page in a browser")
    parser.add_argument(
        "--policy",
        type=Path,
        metavar="FILE",
        help="a policy file of your own, read again when it changes; by default a policy made for the sandbox",
    )
    parser.add_argument("--seed-demo", action="store_true", help="play the demo's story first, so the page has content")
    return parser


def _remove_aws_settings() -> None:
    """Remove AWS's settings from this process: a profile that is set but missing would break moto's import."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull


if __name__ == "__main__":
    _remove_aws_settings()
    sys.exit(main())
