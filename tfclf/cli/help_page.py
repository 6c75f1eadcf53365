"""The help of a command: arguments in capitals, no type beside a switch."""

from typing import Any

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption


class OutputClosedError(Exception):
    """The reader of standard output has gone; Typer would end with code 1 for the pipe's error."""


class Command(TyperCommand):
    """A command whose usage line reads `MODEL [TEXT]...`, whatever the version of Typer."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line, and say where a text goes that looks like an option."""
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            # Typer brings its own copy of Click, whose place differs by version.
            if type(error).__name__ == "NoSuchOption" and self._takes_texts():
                message = getattr(error, "message", "")
                vars(error)["message"] = f"{message}. A text that begins with - goes after --"
            raise

    def _takes_texts(self) -> bool:
        return any(parameter.name == "texts" for parameter in self.params)

    def get_params(self, ctx: Any) -> list[Any]:
        """Return arguments and options, --help included."""
        return [_set_metavar(parameter) for parameter in super().get_params(ctx)]

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the parts of the usage line that follow the command's name."""
        pieces = [self.options_metavar] if self.options_metavar else []
        arguments = (one for one in self.get_params(ctx) if isinstance(one, TyperArgument))
        return pieces + [_format_usage(argument) for argument in arguments]


class Group(TyperGroup):
    """The program itself, with the same help."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command. Raises: OutputClosedError if its output is no longer read."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise OutputClosedError from error

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options, --help and those of completion included."""
        return [_set_metavar(parameter) for parameter in super().get_params(ctx)]


def _set_metavar(parameter: Any) -> Any:
    """Name a parameter's value for the help, if it does not name it itself; return it."""
    if isinstance(parameter, TyperArgument):
        if parameter.metavar is None:
            parameter.metavar = _name_value(parameter)
        # Typer has no setting that hides the type of an argument: a name says enough.
        vars(parameter)["display_type_rich"] = lambda ctx: ""  # noqa: ARG005
    elif isinstance(parameter, TyperOption) and parameter.metavar is None:
        if parameter.is_flag:
            parameter.metavar = ""
        elif parameter.multiple:
            parameter.metavar = "<str>"
    return parameter


def _name_value(argument: TyperArgument) -> str:
    """Return the name of one value: the argument `texts` takes TEXT several times."""
    name = argument.name or ""
    return (name.removesuffix("s") if argument.nargs != 1 else name).upper()


def _format_usage(argument: TyperArgument) -> str:
    name = str(argument.metavar)
    if " " in name:  # the metavar spells out several values: MODEL DATA
        return name
    shown = name if argument.required else f"[{name}]"
    return shown if argument.nargs == 1 else f"{shown}..."
