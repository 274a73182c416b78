# Three targets: `cpu`, the default; `gpu`, the same on CUDA wheels; `web`, which accepts and shows and does not grade: for
# a service on PostgreSQL whose workers are elsewhere (docs/scaling.md). `docker build .` makes the first.
#
# Python and its packages lie in /usr/local and /opt/venv, our own source in /opt/lstm-grader, so that one can be
# shown to a submission without the other (docs/decisions/0004). All that changes at run time is in /data and /tmp.
#
# PYTHON: 3.11, 3.12 or 3.13. BASE: a release names the image by its digest.
ARG PYTHON=3.12
ARG BASE=python:${PYTHON}-slim-trixie

FROM ${BASE} AS system
# libseccomp2 is for the wall around submissions. tini is process 1: it collects what a killed sandbox leaves behind. The
# image comes without compiled standard library, and a read-only root file system would have every process compile it again;
# what is left out is never imported here.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libseccomp2 tini \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
    && python -m compileall -q -j 0 -x '/(ensurepip|idlelib|lib2to3|site-packages|tkinter|turtledemo)/' \
       "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
    && useradd --uid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin grader
WORKDIR /opt/lstm-grader

# Packages are installed where binutils are, and copied without these. Not from `base`, whose label changes with each version.
FROM system AS packages
RUN apt-get update && apt-get install --yes --no-install-recommends binutils
COPY requirements/image.sh requirements/

FROM system AS base
LABEL org.opencontainers.image.title="lstm-grader" \
      org.opencontainers.image.description="Grades the class LSTM against tf.keras.layers.LSTM" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="1.0.0"
ENV PATH=/opt/venv/bin:$PATH \
    HOME=/data \
    LSTM_GRADER_HOST=0.0.0.0 \
    LSTM_GRADER_PORT=8000 \
    LSTM_GRADER_DATA_DIR=/data \
    LSTM_GRADER_CACHE_DIR=/data/cache
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-c", "\
import http.client, os, sys; \
service = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('LSTM_GRADER_PORT') or 8000), timeout=4); \
service.request('GET', '/healthz'); \
sys.exit(service.getresponse().status != 200)"]
ENTRYPOINT ["tini", "--", "lstm-grader"]
CMD ["serve"]

FROM packages AS web-packages
COPY requirements/web.txt requirements/
RUN bash requirements/image.sh dependencies requirements/web.txt

FROM base AS web
COPY --from=web-packages /opt/venv /opt/venv
COPY . .
RUN bash requirements/image.sh application
# Declared last, in each target: what a build step writes into a volume that is already declared is lost.
VOLUME /data
USER 10001

FROM packages AS gpu-packages
COPY requirements/gpu.txt requirements/
RUN bash requirements/image.sh dependencies requirements/gpu.txt

FROM base AS gpu
# The first two are for NVIDIA's container runtime: which cards it shows (`--gpus` says it anew), and that CUDA is wanted.
# Without a card submissions run on the CPU; LSTM_GRADER_DEVICE=gpu makes the start fail instead.
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    LSTM_GRADER_DEVICE=auto
COPY --from=gpu-packages /opt/venv /opt/venv
COPY . .
RUN bash requirements/image.sh application && bash requirements/image.sh references
VOLUME /data
USER 10001

FROM packages AS cpu-packages
COPY requirements/cpu.txt requirements/
RUN bash requirements/image.sh dependencies requirements/cpu.txt

FROM base AS cpu
COPY --from=cpu-packages /opt/venv /opt/venv
COPY . .
RUN bash requirements/image.sh application && bash requirements/image.sh references
VOLUME /data
USER 10001
