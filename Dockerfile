# Two images. The service, see docs/service-deploy.md, which needs no folder that it may write to:
#
#   docker build -t facegauge .
#   docker run --read-only --cap-drop ALL --security-opt no-new-privileges -p 127.0.0.1:8000:8000 facegauge
#
# The command line, which reads and writes the folder that is mounted, as you, without a network:
#
#   docker build --target cli -t facegauge-cli .
#   docker run --rm --network none --user "$(id -u)" -v "$PWD:/work" facegauge-cli score photos -o scores.csv

FROM python:3.13-slim AS build
WORKDIR /src
COPY . .
RUN pip wheel --no-cache-dir --wheel-dir /wheels '.[serve,heic,parquet,report]'

FROM python:3.13-slim AS cli
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --find-links /wheels 'facegauge[heic,parquet,report]'
ENV PYTHONUNBUFFERED=1 MPLCONFIGDIR=/tmp
USER 10001
WORKDIR /work
ENTRYPOINT ["facegauge"]
CMD ["--help"]

FROM python:3.13-slim AS service
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-compile --no-index --find-links /wheels 'facegauge[serve]'
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
ENTRYPOINT ["facegauge"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
