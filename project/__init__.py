"""The composition root: the one place that knows every other.

The Celery app is not imported here but by `project.apps`, as soon as Django starts, so that `@shared_task` finds it.
The sandboxes and `./run up` are of this package too, and start in half the time without it.
"""

from __future__ import annotations

from project.garbage import look_rarely

look_rarely()
