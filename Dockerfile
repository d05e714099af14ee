# The one image of the project: web, workers, beat, Flower and the one-shot commands differ only in their command.
#
# Python 3.11 is what the test suite runs on. A minor version is pinned here, its patches come with a rebuild's new tag.

FROM python:3.11.17-slim-trixie AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/venv
COPY requirements/base.txt /tmp/base.txt
# Everything comes as a wheel, so that nothing is compiled; pyvips alone is published as source, and is pure Python.
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/venv/bin/python -m pip install --require-hashes --only-binary=:all: --no-binary=pyvips -r /tmp/base.txt


FROM python:3.11.17-slim-trixie

# A fixed number, so that owners of volumes and rules of a cluster can name it. A new volume takes its mount point's
# owner from the image: /books is where the payment sandbox keeps its books.
RUN groupadd --gid 10001 rootstock \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin rootstock \
    && install --directory --owner=10001 --group=10001 /books

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=project.settings.production \
    STATIC_ROOT=/srv/static

COPY --from=build /opt/venv /opt/venv
WORKDIR /srv/rootstock
COPY manage.py flowerconfig.py ./
COPY config ./config
COPY tasks ./tasks
COPY apps ./apps
COPY project ./project
COPY deploy/http_ok.py ./deploy/

# Values for this one command: it connects to nothing, but no settings load without them.
RUN SECRET_KEY=build DATABASE_URL=postgresql://build@localhost/build BROKER_URL=redis://localhost \
    CACHE_URL=redis://localhost STRIPE_API_KEY=build \
    python manage.py collectstatic --noinput \
    && python -m compileall -q .

USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
CMD ["gunicorn", "project.wsgi", "--bind", "0.0.0.0:8000", "--worker-class", "gthread", "--threads", "8", "--graceful-timeout", "10"]
