"""The command line: ``python -m sandbox demo`` plays the story, ``python -m sandbox`` keeps the system up."""

import argparse
import sys


def main(arguments: list[str] | None = None) -> int:
    """Run a command; the result is the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m sandbox", description="The whole system on this machine: AWS, Slack and both apps."
    )
    parser.add_argument("command", nargs="?", choices=["up", "demo"], default="up", help="up (the default) or demo")
    parser.add_argument(
        "--aws-port", type=int, default=5000, metavar="PORT", help="port of the AWS endpoint; 0 takes a free one"
    )
    chosen = parser.parse_args(arguments)
    try:
        # Imported here, so that a missing package is a sentence and not a traceback.
        from sandbox.errors import SandboxError
        from sandbox.interactive import stay_up
        from sandbox.story import play_demo
        from sandbox.terminal import Terminal
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        print(f"The package {package} is missing. Run “make venv”, then use .venv/bin/python.", file=sys.stderr)
        return 1
    try:
        if chosen.command == "demo":
            return 0 if play_demo(Terminal()) else 1
        return stay_up(Terminal(), aws_port=chosen.aws_port)
    except SandboxError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
