"""The composition root: the one place that knows every other.

The Celery app is not imported here but by `project.apps`, as soon as Django starts, so that `@shared_task` finds it:
the sandboxes and `./run up` are of this package too, and have no use for it.
"""

from __future__ import annotations

from project.garbage import look_rarely

look_rarely()
