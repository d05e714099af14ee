"""`manage.py dead_letters`: what there is, and what is to become of it."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from ...errors import RedriveRefused
from ...execution.redrive import RATE_LEAST, Redriven, redrive, redrive_all
from ...failure.discard import letters_discard
from ...failure.letter_filters import LetterFilter
from ...failure.letter_groups import letter_counts, letter_groups
from ...failure.readable import printable
from ...failure.transfer import LineRefused, letters_export, letters_import, lines_of
from ..letter_arguments import add_filters, filter_of, is_narrowed, letter_of
from ..letter_output import ProgressBar, group_lines, history_json, history_lines, letter_json, letter_lines
from ..plain_command import CODES, PlainCommand
from ..values import decimal, json_of, whole
from ..whole_file import whole_file

SOME_REFUSED: Final = 3
TOO_MANY: Final = 4
RATE: Final = decimal(RATE_LEAST, 100_000, "rate in jobs a second")

HELP: Final = f"""
exit codes: 0 done; 1 an error, nothing was changed unless it says so; 2 wrong usage; {SOME_REFUSED} some letters could
not be redriven, the others were; {TOO_MANY} `stats --most`: more of them are open than that; {CODES}.
"""


class Command(PlainCommand):
    """One subcommand for each thing that a person does with dead letters."""

    help = f"List, show, redrive, discard, export, import and count dead letters. {HELP}"

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

        def command(name: str, text: str, handler: Callable[..., None], **options: Any) -> CommandParser:
            found: CommandParser = commands.add_parser(name, help=text, description=text, **options)
            found.set_defaults(handler=handler)
            return found

        listing = command("list", "One line for each letter, the latest first.", self.list_letters)
        add_filters(listing)
        listing.add_argument("--limit", type=whole(0), default=50, help="(%(default)s)")
        showing = command("show", "All that is known of one letter, every attempt included.", self.show)
        showing.add_argument("letter", metavar="LETTER", help="its number, or the task id")
        driving = command("redrive", "Send jobs on their way again, with the rest of their chains.", self.redrive)
        add_filters(driving)
        driving.add_argument("--rate", type=RATE, default=100.0, help="jobs a second (%(default)s)")
        driving.add_argument("--arguments", metavar="JSON", help="an object: other arguments, by name, for one letter")
        discarding = command("discard", "Close letters whose jobs are not to be carried out.", self.discard)
        add_filters(discarding, state=None)
        discarding.add_argument("--note", required=True, help="why")
        for found in (driving, discarding):
            found.add_argument("--all", action="store_true", help="all that are open, where nothing narrows it down")
            found.add_argument("--yes", action="store_true", help="don't ask")
        exporting = command("export", "Write letters as JSON lines.", self.export)
        add_filters(exporting, state="any")
        exporting.add_argument("--output", type=Path, help="a file; default: standard output")
        importing = command("import", "Read letters from JSON lines, all or none.", self.import_letters)
        importing.add_argument("file", type=Path, help="as `export` wrote it; - for standard input")
        for found in (driving, discarding, importing):
            found.add_argument("--dry-run", action="store_true", help="say what would be, and change nothing")
        counting = command("stats", "How many there are, by cause.", self.stats)
        add_filters(counting)
        counting.add_argument("--limit", type=whole(0), default=20, help="causes (%(default)s)")
        counting.add_argument("--most", type=whole(0), help=f"end with code {TOO_MANY} when more of them are open")
        for found in (listing, showing, driving, discarding, importing, counting):
            found.add_argument("--json", action="store_true", help="for scripts")

    def handle(self, *args: Any, handler: Callable[[dict[str, Any]], None], **options: Any) -> None:
        handler(options)

    def list_letters(self, options: dict[str, Any]) -> None:
        found = filter_of(options).letters().order_by("-last_seen_at")[: options["limit"]]
        if options["json"]:
            for letter in found:
                self.stdout.write(json.dumps(letter_json(letter)))
        else:
            self.stdout.write(letter_lines(found))

    def show(self, options: dict[str, Any]) -> None:
        letter = letter_of(options["letter"])
        self.stdout.write(json.dumps(history_json(letter), indent=2) if options["json"] else history_lines(letter))

    def redrive(self, options: dict[str, Any]) -> None:
        if options["arguments"] is not None:
            self._redrive_edited(options)
            return
        which, count = self._meant(options, "redrive", filter_of(options))
        bar = ProgressBar(count, "looked at")
        done = redrive_all(which, by=_who(), rate=options["rate"], dry_run=options["dry_run"], progress=bar)
        bar.end()
        self._tell_redriven(done, options)

    def discard(self, options: dict[str, Any]) -> None:
        which, _ = self._meant(options, "discard", filter_of(options, state="open"))
        try:
            count = letters_discard(which, by=_who(), note=options["note"], dry_run=options["dry_run"])
        except ValueError as error:
            raise CommandError(str(error)) from error
        self._tell(options, {"discarded": count}, f"{_would(options)}discarded {count}")

    def export(self, options: dict[str, Any]) -> None:
        which = filter_of(options)
        bar = ProgressBar(which.letters().count(), "written")
        with whole_file(options["output"]) if options["output"] else nullcontext(self.stdout) as stream:
            for number, line in enumerate(letters_export(which), start=1):
                stream.write(line + "\n")
                bar(number)
        bar.end()

    def import_letters(self, options: dict[str, Any]) -> None:
        try:
            if str(options["file"]) == "-":
                done = letters_import(lines_of(sys.stdin.buffer), dry_run=options["dry_run"])
            else:
                with options["file"].open("rb") as file:
                    done = letters_import(lines_of(file), dry_run=options["dry_run"])
        except LineRefused as error:
            raise CommandError(f"nothing was imported: {error}. Put that line right, or take it out") from error
        except OSError as error:
            raise CommandError(f"nothing was imported: {error}. Name a file that can be read, or -") from error
        facts = {"imported": done.count, "there_already": done.there}
        self._tell(options, facts, f"{_would(options)}imported {done.count}; {len(done.there)} were there already")

    def stats(self, options: dict[str, Any]) -> None:
        which = filter_of(options)
        groups, counts = letter_groups(which, limit=options["limit"]), letter_counts(which)
        if options["json"]:
            self.stdout.write(json.dumps({"states": counts, "groups": [group.as_json() for group in groups]}))
        else:
            self.stdout.write(", ".join(f"{count} {state}" for state, count in counts.items()))
            self.stdout.write(group_lines(groups))
        if options["most"] is not None and counts["open"] > options["most"]:
            sys.exit(TOO_MANY)

    def _redrive_edited(self, options: dict[str, Any]) -> None:
        which = filter_of(options)
        if len(which.ids) != 1:
            raise CommandError("--arguments are for one letter: name it, and no other")
        arguments = json_of("--arguments", options["arguments"])
        if not isinstance(arguments, dict):
            raise CommandError("--arguments must be an object, {parameter: value}")
        try:
            redrive(letter_of(options["letters"][0]), by=_who(), arguments=arguments, dry_run=options["dry_run"])
        except RedriveRefused as refusal:
            raise CommandError(str(refusal)) from refusal
        self._tell_redriven(Redriven(count=1), options)

    def _meant(self, options: dict[str, Any], verb: str, which: LetterFilter) -> tuple[LetterFilter, int]:
        """The letters, and how many; asked about, if there are many and somebody is there to be asked."""
        if not (is_narrowed(options) or options["all"]):
            raise CommandError(f"say which letters to {verb}: name them, narrow them down, or say --all")
        which = which.until(timezone.now())  # what dies while somebody is asked, nobody was asked about
        count = which.letters().count()
        if count > 1 and not (options["yes"] or options["dry_run"]):
            if not sys.stdin.isatty():
                raise CommandError(f"that is {count} letters, and nobody is here to be asked: say --yes")
            if _answer(f"{verb} {count:,} letters? [y/N] ") not in ("y", "yes"):
                raise CommandError("nothing was changed")
        return which, count

    def _tell_redriven(self, done: Redriven, options: dict[str, Any]) -> None:
        facts = {"redriven": done.count, "refused": done.refusals, "reasons": done.refused}
        text = f"{_would(options)}redriven {done.count}; {done.refusals} could not be"
        told = "\n".join([text, *(f"  {task}: {why}" for task, why in done.refused.items())])
        self._tell(options, facts, printable(told))
        if done.refusals:
            sys.exit(SOME_REFUSED)

    def _tell(self, options: dict[str, Any], facts: dict[str, Any], text: str) -> None:
        self.stdout.write(json.dumps({**facts, "dry_run": options["dry_run"]}) if options["json"] else text)


def _who() -> str:
    try:
        return f"{getpass.getuser()} (command line)"
    except (KeyError, OSError):  # a container's user without a name
        return "somebody (command line)"


def _answer(question: str) -> str:
    try:
        return input(question).strip().lower()
    except EOFError:  # Ctrl-D
        return ""


def _would(options: dict[str, Any]) -> str:
    return "would have " if options["dry_run"] else ""
