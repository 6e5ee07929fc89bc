"""The front door: `ltjax VERB ...`, one sentence for what goes wrong, and an exit code that scripts can read.

Exit codes: 0 done; 1 `doctor` found a fault; 2 a bad value or a missing file; 3 a run stopped at numbers that are not
finite; 4 no checkpoint can be continued from; 130 interrupted (a run that was training saved its state).
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from ltjax.registry import ConfigError, nearest

VERBS = {
    "quickstart": "compare methods on long-tailed digits: table and report in a minute or two",
    "train": "train one configuration; resume it; read the result if it is done",
    "compare": "put methods side by side on equal terms, over several seeds, in one table",
    "evaluate": "measure finished runs anew: other groups, bins, test priors, post-hoc rules",
    "report": "print the table and write the HTML report of run folders",
    "list": "show every registered loss, method, sampler, ... with its options",
    "doctor": "check the installation, the devices and where data is found",
}
"""Every verb with its summary; `ltjax/commands/VERB.py` holds it."""

OVERVIEW = """\
ltjax: learning from long tails in JAX

  ltjax quickstart
  ltjax train --config digits_lt:ir=50 --loss balanced_softmax --set seed=3
  ltjax compare --config digits_lt:ir=50 --methods erm,focal,ldam --seeds 5

verbs
{verbs}

`ltjax VERB --help` explains a verb with examples.
"""

TRACEBACK = "LTJAX_TRACEBACK"
"""Environment variable: set to 1, errors show where in the code they were raised."""


class Parser(argparse.ArgumentParser):
    """argparse whose errors are one sentence with the nearest option."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message[:1].upper()}{message[1:]}. See `{self.prog} --help`.")

    def parse_known(self, argv: Sequence[str]) -> argparse.Namespace:
        """The options; an unknown one raises with the nearest known."""
        args, rest = self.parse_known_args(argv)
        if rest:
            options = [option for option in self._option_string_actions if option.startswith("--")]
            word = rest[0].partition("=")[0]
            close = nearest(word, options) if word.startswith("-") else ""
            raise ConfigError(f"{rest[0]!r} is not understood. {close}See `{self.prog} --help`.")
        return args


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit code; may be called any number of times in one process."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _dispatch(words)
        sys.stdout.flush()
        return code
    except SystemExit as done:  # argparse has printed a help page
        return int(done.code or 0)
    except BrokenPipeError:
        _leave_pipe()
        return 0
    except KeyboardInterrupt:
        return _tell("stopped.", 130)
    except Exception as error:
        known, sentence = _judge(error)
        if known is None or os.environ.get(TRACEBACK):
            raise
        return _tell(sentence, known)


def _dispatch(words: list[str]) -> int:
    verb, rest = (words[0], words[1:]) if words else ("--help", [])
    if verb == "help":
        verb, rest = (rest[0], ["--help"]) if rest else ("--help", [])
    if verb in ("-h", "--help"):
        print(OVERVIEW.format(verbs="\n".join(f"  {name:12}{about}" for name, about in VERBS.items())), end="")
        return 0
    if verb == "--version":
        from importlib import metadata

        print(f"ltjax {metadata.version('ltjax')}")
        return 0
    if verb not in VERBS:
        raise ConfigError(f"{verb!r} is not a verb of ltjax. {nearest(verb, VERBS)}Verbs: {', '.join(VERBS)}.")
    command = importlib.import_module(f"ltjax.commands.{verb}")
    parser = parser_of(verb)
    return command.run(parser.parse_known(_config_spelling(rest))) or 0


def parser_of(verb: str) -> Parser:
    """The options of a verb; its help page is the docstring of its module."""
    command = importlib.import_module(f"ltjax.commands.{verb}")
    parser = Parser(prog=f"ltjax {verb}", description=command.__doc__, allow_abbrev=False,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    command.options(parser)
    return parser


def _config_spelling(words: list[str]) -> list[str]:
    """`--config.optim.epochs=20` (or with a space) becomes `--set optim.epochs=20`."""
    out: list[str] = []
    rest = iter(words)
    for word in rest:
        if word.startswith("--config."):
            line = word.removeprefix("--config.")
            value = None if "=" in line else next(rest, None)
            word = f"--set={line}" if value is None else f"--set={line}={value}"
        out.append(word)
    return out


def _judge(error: Exception) -> tuple[int | None, str]:
    """Exit code and sentence of an error that a user can act upon; code None is a fault of the program."""
    if "ltjax.train.signals" in sys.modules:
        from ltjax.train.signals import Interrupted

        if isinstance(error, Interrupted):
            return 130, str(error)
    if "ltjax.train.loop" in sys.modules:
        from ltjax.train.checkpoint import CheckpointError
        from ltjax.train.loop import NonFinite

        if isinstance(error, NonFinite):
            return 3, str(error)
        if isinstance(error, CheckpointError):
            return 4, str(error)
    if isinstance(error, ConfigError | FileNotFoundError):
        return 2, _words(error)
    if isinstance(error, ValueError | OSError) and _ours(error):
        return 2, _words(error)
    return None, ""


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."
    return str(error)


def _ours(error: BaseException) -> bool:
    """Raised by this package (a refused value) and not by a library below it or by the user's own code."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = trace.tb_frame.f_code.co_filename if trace is not None else ""
    return Path(place).is_relative_to(Path(__file__).parent) or isinstance(error, OSError)


def _tell(sentence: str, code: int) -> int:
    print(f"ltjax: {sentence}", file=sys.stderr)
    return code


def _leave_pipe() -> None:
    """The reader of our output is gone; nothing more can be written, not even by the interpreter's end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
