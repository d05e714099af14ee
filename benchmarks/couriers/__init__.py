"""What carries jobs and is measured by `./run bench delivery`: Celery's two ways, and others. One file each.

Each module is two programs: imported by a worker it declares the job, and run with `one_by_one`, `bulk` or `steady` it
publishes. The others' run in an environment of their own, so these files import nothing of the project's but
`couriers.publishing`, which needs the standard library alone.
"""
