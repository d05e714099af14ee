"""Figures that bound the system, each with its unit in its type or name."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

# The longest any job may run unless it says less itself, and when it is asked to stop by itself.
TASK_TIME_LIMIT: Final = timedelta(minutes=10)
TASK_SOFT_TIME_LIMIT: Final = timedelta(minutes=9)

# How long a stopping worker lets its jobs go on before it gives them back.
SOFT_SHUTDOWN: Final = timedelta(seconds=30)

# After this time Redis hands an unacknowledged job out again. It must be longer than any job and any countdown.
VISIBILITY_TIMEOUT: Final = timedelta(minutes=15)

# So often RabbitMQ delivers a message again before it puts it among its dead letters. It counts what stopping workers
# give back, too, so this is the last resort behind the limits on attempts and deaths.
DELIVERY_LIMIT: Final = 20

# Queues of SQS belong to an account and a region, not to a project: ours begin so.
SQS_QUEUE_PREFIX: Final = "rootstock-"

# A worker's hold on what it has taken: renewed all the while, so it may be short, and a dead worker's jobs run again
# soon after it.
LEASE: Final = timedelta(seconds=30)

# So many workers may die of one job before it is taken out.
DEATHS_MAX: Final = 3

# Messages carry ids; whatever is larger belongs in the database or in storage.
PAYLOAD_MAX_BYTES: Final = 64 * 1024

# Waits between the attempts to charge a payment.
PAYMENT_RETRY_DELAYS: Final = tuple(timedelta(seconds=seconds) for seconds in (10, 30, 90, 270))

# After this time the provider has carried out every attempt to charge that we gave up, or never will. Shorter than
# the waits of PAYMENT_RETRY_DELAYS together, so that the last attempt to refund has the last word.
PAYMENT_SETTLES: Final = timedelta(minutes=5)

# The most that one order may come to.
ORDER_MAX_TOTAL_CENTS: Final = 5_000_000

# The largest image that is taken in, uploaded or fetched, and how many pixels it may unpack to.
IMAGE_MAX_BYTES: Final = 25 * 1024 * 1024
IMAGE_MAX_PIXELS: Final = 64_000_000

# How long fetching one image may take, redirects included.
IMAGE_FETCH_MAX_TIME: Final = timedelta(seconds=30)

# The largest request that is read at all: an image and the form around it.
REQUEST_MAX_BYTES: Final = IMAGE_MAX_BYTES + 64 * 1024

# A reminder's job is written when it is due within this time, which is well above the time between two looks at the
# table; until it is due it waits in the outbox.
REMINDER_HORIZON: Final = timedelta(minutes=30)
# How many of them one look publishes; it takes another at once when there are more.
REMINDERS_AT_ONCE: Final = 1_000
REMINDER_OVERDUE_AFTER: Final = timedelta(minutes=5)
REMINDER_MOST_AHEAD: Final = timedelta(days=366)
REMINDER_MOST_LATE: Final = timedelta(days=1)
REMINDER_KEPT_FOR: Final = timedelta(days=90)

# How many copies of a newsletter one job publishes.
NEWSLETTER_CHUNK: Final = 500

# One request to the supplier's API, from connecting to the last byte, and the most that a page of the feed may hold.
SUPPLIER_REQUEST_MAX_TIME: Final = timedelta(seconds=15)
SUPPLIER_PAGE_SIZE: Final = 200
SUPPLIER_PAGE_MAX_BYTES: Final = 1024 * 1024
SUPPLIER_MAX_PAGES: Final = 1000

# A run that has committed no page for so long has lost its worker; the next one takes its place.
SYNC_RUN_LEASE: Final = timedelta(minutes=2)
# A failed pass is carried on where it stopped, unless it began so long ago: then it is begun anew.
SYNC_RESUME_WITHIN: Final = timedelta(minutes=15)
# However long the supplier asks us to stay away, look again after this.
SUPPLIER_MOST_WAIT: Final = timedelta(hours=1)
SYNC_RUN_KEPT_FOR: Final = timedelta(days=14)

# One build of a report, and how long one that was asked for may be silent before it may be asked for again.
REPORT_TIME_LIMIT: Final = timedelta(minutes=10)
REPORT_STALLED_AFTER: Final = timedelta(minutes=12)
# A day's last orders may be paid so long after it: every attempt of PAYMENT_RETRY_DELAYS, and the waits between them.
REPORT_SETTLED_AFTER: Final = timedelta(hours=1)
# The daily build makes up for days that it missed, this far back.
REPORT_MAKE_UP_DAYS: Final = 7
REPORT_KEPT_FOR: Final = timedelta(days=400)
# A file that no report names is left over from a build that died, once it is older than any build can be.
REPORT_ORPHAN_AFTER: Final = timedelta(days=1)

# How long the payment provider is sure to know an idempotency key (it says 24 hours); after that it is asked first.
PAYMENT_KEY_KEPT: Final = timedelta(hours=23)

# A message of the outbox that has been due for longer means that no relay runs, or that the broker is away.
OUTBOX_LAG_MAX: Final = timedelta(seconds=60)
