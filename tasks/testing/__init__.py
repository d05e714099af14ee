"""Testing jobs with real processes, and no container engine.

The nodes are pytest-celery's; what they stand on are local processes: `RedisProcess` is a Redis or Valkey server,
`WorkerProcess` a `celery worker`. They listen on private ports, write into temporary directories, and none outlives the
test run, however that ends. In a project's conftest:

    pytest_plugins = ["tasks.testing.plugin"]

    @pytest.fixture(scope="session")
    def redis_server_command() -> list[str]:
        return ["valkey-server"]

pytest-celery's `celery_setup` and all its fixtures then work on processes. With `pytest --docker` the same tests run on
its containers.

`waiting.eventually` waits on a condition, so that no test sleeps; `dead_letters.expect`, that so many
jobs have died, and of what.
"""
