# An image with our tests in it, and with the packages that the tests in the box need: `.ci/test-image` builds it.
ARG IMAGE
FROM ${IMAGE}
USER root
COPY . .
RUN awk '/^[a-z]/ { wanted = /^(execnet|hypothesis|iniconfig|pytest|pytest-xdist|sortedcontainers|standardwebhooks)==/ } wanted' dev.txt >tests.txt \
    && /usr/local/bin/python -m pip --python /opt/venv/bin/python install --no-cache-dir --no-deps --require-hashes --requirement tests.txt
USER 10001
