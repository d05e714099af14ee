"""The PostgreSQL ledger's statements. `clock_timestamp()` is the time now; `now()`, when the transaction began."""

from __future__ import annotations

from typing import Final

# A key whose time is over, or that a clean failure gave back, is as good as absent. The row is locked either way; only
# that lock is waited for no longer than %(wait)s, while another transaction has it. Answers with the token or NULL.
TAKE: Final = """
    WITH before AS MATERIALIZED (
        SELECT current_setting('lock_timeout') AS lock_timeout
    ), waits AS MATERIALIZED (
        SELECT set_config('lock_timeout', %(wait)s, true) FROM before
    ), taken AS (
        INSERT INTO tasks_ledger (key, fingerprint, state, token, owner, lease_until, created_at, expires_at)
        SELECT
            %(key)s, %(fingerprint)s, 'claimed', (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, %(owner)s,
            clock_timestamp() + %(lease)s, clock_timestamp(), clock_timestamp() + %(lease)s + %(ttl)s
        FROM waits
        ON CONFLICT (key) DO UPDATE SET
            fingerprint = excluded.fingerprint, state = 'claimed',
            token = greatest(tasks_ledger.token + 1, excluded.token), owner = excluded.owner,
            lease_until = clock_timestamp() + %(lease)s, result = NULL, done_at = NULL,
            created_at = excluded.created_at, expires_at = clock_timestamp() + %(lease)s + %(ttl)s
        WHERE tasks_ledger.state = 'free' OR tasks_ledger.expires_at <= clock_timestamp()
        RETURNING token
    )
    SELECT token, set_config('lock_timeout', lock_timeout, true) FROM before LEFT JOIN taken ON true
"""
LOOK: Final = """
    SELECT fingerprint, state, owner, lease_until - clock_timestamp(), result FROM tasks_ledger WHERE key = %s
"""
TAKE_OVER: Final = """
    UPDATE tasks_ledger SET
        token = greatest(token + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint), owner = %(owner)s,
        lease_until = clock_timestamp() + %(lease)s, expires_at = clock_timestamp() + %(lease)s + %(ttl)s
    WHERE key = %(key)s RETURNING token
"""
COMPLETE: Final = """
    UPDATE tasks_ledger SET
        state = 'done', result = %s, done_at = clock_timestamp(), lease_until = NULL,
        expires_at = clock_timestamp() + %s
    WHERE key = %s AND token = %s AND state = 'claimed'
"""
RELEASE: Final = """
    UPDATE tasks_ledger SET state = 'free', lease_until = NULL WHERE key = %s AND token = %s AND state = 'claimed'
"""
ABANDON: Final = """
    UPDATE tasks_ledger SET lease_until = clock_timestamp() WHERE key = %s AND token = %s AND state = 'claimed'
"""
SETTLE_DONE: Final = """
    UPDATE tasks_ledger SET state = 'done', result = %s, owner = %s, done_at = clock_timestamp(), lease_until = NULL
    WHERE key = %s AND state = 'claimed' AND lease_until <= clock_timestamp()
"""
SETTLE_FREE: Final = """
    UPDATE tasks_ledger SET state = 'free', lease_until = NULL
    WHERE key = %s AND state = 'claimed' AND lease_until <= clock_timestamp()
"""
# A claim's time is over only after its lease. `now()` stands still, so that the index can be asked for it.
PRUNE: Final = """
    DELETE FROM tasks_ledger WHERE key IN (
        SELECT key FROM tasks_ledger WHERE expires_at <= now() ORDER BY expires_at LIMIT %s FOR UPDATE SKIP LOCKED
    )
"""
