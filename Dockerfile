# Both images of the project: --target operator, --target trainer.
# BASE is Node 24 on Debian 12; TENSORFLOW=gpu takes the CUDA build of TensorFlow (not measured on a GPU).
ARG BASE=node:24-bookworm-slim
ARG TENSORFLOW=cpu

# The locked npm packages. No install script runs.
FROM ${BASE} AS packages
# Settings of the machine that builds: certificates of a network that inspects TLS, a mirror of the registry.
ARG NODE_EXTRA_CA_CERTS
ARG NPM_CONFIG_CAFILE
ARG NPM_CONFIG_USERCONFIG
ARG NPM_CONFIG_REGISTRY
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund --loglevel=error

# TensorFlow's libraries (wheels pinned by digest) and the binding, compiled from the sources that npm carries. Only
# the two packages it needs are copied, so that a change of any other package does not build it again.
FROM ${BASE} AS tensorflow
WORKDIR /src
ARG APT_CONFIG
RUN apt-get update \
 && apt-get install --yes --no-install-recommends g++ python3-pip \
 && rm -rf /var/lib/apt/lists/*
ARG TENSORFLOW
ARG PIP_CONFIG_FILE
ARG PIP_CERT
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
ARG PIP_DEFAULT_TIMEOUT
ARG PIP_RETRIES
COPY --from=packages /src/node_modules/node-api-headers node_modules/node-api-headers
COPY --from=packages /src/node_modules/@tensorflow/tfjs-node-gpu node_modules/@tensorflow/tfjs-node-gpu
COPY trainer-image/tensorflow trainer-image/tensorflow
RUN node trainer-image/tensorflow/build.ts --variant ${TENSORFLOW} --out /opt/tensorflow

# One file for each program.
FROM packages AS bundles
COPY crds crds
COPY operator operator
COPY trainer-image trainer-image
RUN node trainer-image/bundle.ts /out

# A base without package managers: what is not there cannot be misused.
FROM ${BASE} AS runtime
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /opt/yarn* \
 && mkdir -p /app
ENV NODE_ENV=production
WORKDIR /app
USER 65532:65532

FROM runtime AS operator
LABEL org.opencontainers.image.title="finetune-operator" \
      org.opencontainers.image.description="Watches FineTuneJobs and runs the trainer for them" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=bundles /out/operator/ /app/
EXPOSE 8080
# What the C library frees goes back to the system: without it the short-lived buffers of long lists leave holes that stay.
ENV MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=131072
# A small heap for what comes and goes, and garbage collection before the rest has grown by more than a third: without them
# the memory of ten thousand jobs is half as much again.
ENTRYPOINT ["node", "--enable-source-maps", "--max-semi-space-size=4", "--heap-growing-percent=30", "/app/operator.mjs"]

FROM runtime AS trainer
LABEL org.opencontainers.image.title="finetune-trainer" \
      org.opencontainers.image.description="Fine-tunes and evaluates language models" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=tensorflow /opt/tensorflow /opt/tensorflow
# libcusolver is not found through the library's own search path; on the CPU variant the folder holds no CUDA library.
ENV FINETUNE_TENSORFLOW=/opt/tensorflow \
    LD_LIBRARY_PATH=/opt/tensorflow/lib
COPY --from=bundles /out/trainer/ /app/
EXPOSE 8080
ENTRYPOINT ["node", "--enable-source-maps", "/app/trainer.mjs"]
