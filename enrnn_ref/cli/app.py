"""The application: its commands, and what an error looks like from outside."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from enrnn_ref import __version__
from enrnn_ref.cli.bench import bench
from enrnn_ref.cli.check import check
from enrnn_ref.cli.compare import compare
from enrnn_ref.cli.demo import demo
from enrnn_ref.cli.plot import plot
from enrnn_ref.cli.train import train
from enrnn_ref.cli.vectors import vectors
from enrnn_ref.errors import EnrnnError

# Exit status of every command: 0 done, 1 a check failed, 2 bad use or bad input, 130 stopped by Ctrl-C.
BAD_USE = 2


class Commands(TyperGroup):
    """Commands whose foreseen errors are one line on stderr, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        cause: Exception
        try:
            return super().invoke(ctx)
        except EnrnnError as error:
            message, cause = str(error), error
        except OSError as error:
            message, cause = f"{error.filename or 'output'} cannot be used: {error.strerror}.", error
        except (MemoryError, RecursionError) as error:
            message, cause = f"the input is too large for this machine: {error}.", error
        typer.echo(f"error: {' '.join(message.split())}", err=True)
        raise typer.Exit(BAD_USE) from cause


app = typer.Typer(
    cls=Commands,
    help="The Eigenvalue Normalized RNN and its relatives: gradients written by hand, checked, trained.",
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"enrnn-ref {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


for command in (demo, check, train, compare, plot, bench):
    app.command()(command)
app.add_typer(vectors, name="vectors")
