"""What mkdocs does not know by itself: the page of commands, and links from docs/ to files of the repository."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import typer.main

ROOT = Path(__file__).resolve().parents[1]


def on_page_markdown(markdown: str, page: Any, **_more: Any) -> str:
    """Write the page of commands; turn links that leave docs/ into plain names of files."""
    if page.file.src_uri == "commands.md":
        return markdown + commands()
    return re.sub(r"\[([^\]]+)\]\((\.\./[^)]+)\)", _named, markdown)


def _named(link: re.Match[str]) -> str:
    path = link[2].removeprefix("../")
    return link[1] if link[1].strip("`") in path else f"{link[1]} (`{path}`)"


def commands() -> str:
    """Give every verb with its help, as ``--help`` prints it."""
    from lesionmap.cli.app import app

    command = typer.main.get_command(app)
    return "".join(_help(command, "lesionmap"))


def _help(command: Any, name: str) -> list[str]:
    context = command.context_class(command, info_name=name, terminal_width=84, max_content_width=84)
    if not hasattr(command, "commands"):
        return [f"\n## {name}\n\n```text\n{command.get_help(context).rstrip()}\n```\n"]
    return [text for verb in command.list_commands(context) for text in _help(command.commands[verb], f"{name} {verb}")]
