"""A consumer that only waits: a process for a test to freeze and kill. Arguments: the subject, the queue's name."""

from __future__ import annotations

import sys

from tests.conformance.broker.hand import Hand
from tests.conformance.broker.subjects import Subject

ASKING = "asking"


def main() -> None:
    """Ask the broker, say so, and take whatever comes."""
    subject = Subject.loaded(sys.argv[1])
    with Hand(subject, subject.queue(sys.argv[2]), prefetch=1) as hand:
        hand.look()
        sys.stdout.write(f"{ASKING}\n")
        sys.stdout.flush()
        while True:
            hand.look()


if __name__ == "__main__":
    main()
