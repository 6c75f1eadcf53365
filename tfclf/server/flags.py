"""Parsing of the command line of `python -m tfclf.server`, as TF Serving parses its own.

A flag of TF Serving that has no effect here says so in the log. One that would change answers and
is missing here is refused.
"""

import argparse
import difflib
import logging
import math
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from tfclf._version import __version__, package_versions
from tfclf.server.flag_table import FLAGS, REFUSED, WITHOUT_EFFECT, Flag

_log = logging.getLogger(__name__)

_BOOLS = {"true": True, "1": True, "false": False, "0": False}
_OFF = {"", "false", "0"}


def _parse_bool(text: str) -> bool:
    """Parse TF Serving's booleans, in any case.

    >>> _parse_bool("True"), _parse_bool("0")
    (True, False)
    """
    if text.lower() not in _BOOLS:
        raise ValueError(text)
    return _BOOLS[text.lower()]


# By kind of flag: the parser of a value, its placeholder in the help, and its name in messages.
_KINDS: dict[type, tuple[Callable[[str], Any], str, str]] = {
    bool: (_parse_bool, "BOOL", "true or false"),
    int: (int, "N", "a whole number"),
    float: (float, "X", "a number"),
    str: (str, "TEXT", "a text"),
}


class _Parser(argparse.ArgumentParser):
    """A parser that prints no usage above an error: it would fill the screen."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}. --help shows every flag.\n")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the values of all `FLAGS`: `--flag=value`, `--flag value`, or a bare `--flag` for true.

    >>> arguments = parse(["--model_base_path=models/demo", "--enable_batching"])
    >>> arguments.model_base_path, arguments.enable_batching, arguments.port
    ('models/demo', True, 8500)

    If a flag is unknown, refused here, has a bad value or contradicts another, the program ends
    with a message and exit code 2.
    """
    parser = _make_parser()
    parsed, unknown = parser.parse_known_args(arguments)
    if unknown:
        parser.error(_describe_unknown(unknown[0]))
    for name, reason in REFUSED.items():
        if (getattr(parsed, name) or "").lower() not in _OFF:
            parser.error(f"--{name} is not there in this server: {reason}")
    for flag in FLAGS:
        setattr(parsed, flag.name, _parse_value(parser, flag, getattr(parsed, flag.name)))
    _check(parser, parsed)
    return parsed


def warn_of_flags_without_effect(parsed: argparse.Namespace) -> None:
    """Log a warning for each flag that has no effect; call it once logging is configured."""
    for name, reason in WITHOUT_EFFECT.items():
        if getattr(parsed, name) is not None:
            _log.warning("--%s has no effect in this server: %s", name, reason)
    if parsed.model_config_file and parsed.model_base_path:
        _log.warning("--model_base_path has no effect: --model_config_file says what to serve")
    if parsed.enable_per_model_batching_parameters and not parsed.enable_batching:
        _log.warning(
            "--enable_per_model_batching_parameters has no effect without --enable_batching"
        )
    if parsed.log_texts and parsed.log_level != "debug":
        _log.warning("--log_texts has no effect without --log_level=debug")


def versions() -> str:
    """Return the text of `--version`."""
    tensorflow = package_versions("tensorflow")["tensorflow"]
    return f"tfclf: {__version__}\nTensorFlow Library: {tensorflow}"


def _make_parser() -> _Parser:
    parser = _Parser(
        prog="python -m tfclf.server",
        usage="python -m tfclf.server --model_base_path=FOLDER [--flag=value ...]",
        description="Serve SavedModels over gRPC and REST, with TF Serving's flags.",
        epilog="Example: python -m tfclf.server --port=8500 --rest_api_port=8501 --model_name=demo "
        '--model_base_path="$PWD/saved_models/demo"',
        allow_abbrev=False,
    )
    parser.add_argument("--helpfull", action="help", help=argparse.SUPPRESS)
    theirs = parser.add_argument_group("flags of TF Serving")
    ours = parser.add_argument_group("flags of tfclf")
    for flag in FLAGS:
        bare: dict[str, Any] = {"nargs": "?", "const": "true"} if flag.kind is bool else {}
        (ours if flag.ours else theirs).add_argument(
            f"--{flag.name}", metavar=_KINDS[flag.kind][1], help=_describe(flag), **bare
        )
    for name in (*WITHOUT_EFFECT, *REFUSED):
        parser.add_argument(
            f"--{name}", nargs="?", const="true", default=None, help=argparse.SUPPRESS
        )
    return parser


def _describe(flag: Flag) -> str:
    if flag.default in {"", None}:
        return flag.help
    default = str(flag.default).lower() if flag.kind is bool else flag.default
    return f"{flag.help} (default: {default})"


def _describe_unknown(argument: str) -> str:
    """Describe an unknown argument, with the flag that may be meant.

    >>> _describe_unknown("--rest_port=1")
    'unknown argument: --rest_port=1, perhaps meant: --rest_api_port'
    """
    if not argument.startswith("-"):
        return (
            f"unknown argument: {argument}. Expected --flag=value. To serve a folder, write "
            f"--model_base_path={argument}, or `tfclf serve {argument}`"
        )
    name = argument.lstrip("-").partition("=")[0]
    names = [*(flag.name for flag in FLAGS), *WITHOUT_EFFECT, *REFUSED]
    near = difflib.get_close_matches(name.replace("-", "_"), names, n=1)
    return f"unknown argument: {argument}" + (f", perhaps meant: --{near[0]}" if near else "")


def _parse_value(parser: argparse.ArgumentParser, flag: Flag, text: str | None) -> Any:
    if text is None:
        return flag.default
    parse_text, _, expected = _KINDS[flag.kind]
    try:
        value = parse_text(text)
    except ValueError:
        parser.error(f"--{flag.name} is {text!r}; expected {expected}")
    if flag.kind in {int, float} and not flag.least <= value <= flag.most:  # refuses nan too
        least = f"from {flag.least:g} " if flag.least > -math.inf else ""
        parser.error(f"--{flag.name} is {text}; expected {expected} {least}to {flag.most:,.0f}")
    return value


def _check(parser: argparse.ArgumentParser, parsed: argparse.Namespace) -> None:
    """Refuse what TF Serving refuses, in its words. Source: server.cc, BuildAndStart."""
    if parsed.version:
        return
    if not (parsed.port or parsed.grpc_socket_path or parsed.rest_api_port):
        parser.error(
            "At least one of server_options.grpc_port or server_options.grpc_socket_path must be "
            "set: give --port, --grpc_socket_path or --rest_api_port"
        )
    if not parsed.model_base_path and not parsed.model_config_file:
        parser.error(
            "Both server_options.model_base_path and server_options.model_config_file are empty! "
            "Say what to serve: --model_base_path=FOLDER, which holds FOLDER/1/saved_model.pb, or "
            "--model_config_file=FILE"
        )
    if parsed.batching_parameters_file and not parsed.enable_batching:
        parser.error(
            "server_options.batching_parameters_file is set without setting "
            "server_options.enable_batching to true: add --enable_batching, or leave "
            "--batching_parameters_file out"
        )
    if parsed.port and parsed.port == parsed.rest_api_port:
        parser.error(
            "server_options.http_port cannot be same as grpc_port. Please use a different port for "
            f"HTTP/REST API: --port and --rest_api_port are both {parsed.port}"
        )
    if parsed.monitoring_config_file and not parsed.rest_api_port:
        parser.error("--monitoring_config_file needs --rest_api_port, where the metrics are shown")
    if parsed.tensorflow_session_parallelism and (
        parsed.tensorflow_intra_op_parallelism or parsed.tensorflow_inter_op_parallelism
    ):
        parser.error(
            "Either configure server_options.tensorflow_session_parallelism or "
            "(server_options.tensorflow_intra_op_parallelism, "
            "server_options.tensorflow_inter_op_parallelism) separately. You cannot configure all"
        )
    if parsed.log_level not in {"debug", "info", "warning", "error"}:
        parser.error(f"--log_level is {parsed.log_level!r}; expected debug, info, warning or error")
    if parsed.log_format not in {"text", "json"}:
        parser.error(f"--log_format is {parsed.log_format!r}; expected text or json")
