"""A payment provider on this machine: the endpoints of Stripe that the shop uses, as Stripe documents them.

What it keeps, and what a SIGKILL leaves behind: every payment, refund and idempotent answer is one line of the books
(`journal`), on disk before the answer goes out. Killed and started again on the same file, it has the same books and
gives the same answers to the same keys; a request that was cut off before its line was whole never happened.

`form` and `parameters` read a request, `payments` and `refunds` carry it out, `books` keeps what came of it, `keys`
answers a repeated key, `faults` makes it fail when told to, `api` puts these together, and `control` (what a test
tells and asks the sandbox) and `server` speak HTTP. `client` is the caller's side of `control`. The standard library
does for all of it, so that it starts at once.
"""
