"""The ledgers there are: PostgreSQL, which the promises are made of, and Redis, for work without a database."""
