# A static binary on nothing. For both platforms from either, without emulation:
#   docker buildx build --platform linux/amd64,linux/arm64 --build-arg SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) .
FROM --platform=$BUILDPLATFORM rust:1.95.0-slim-bookworm AS build
ARG TARGETARCH
ARG BUILDARCH
# The C in ring wants a compiler for the target, with headers: the builder's own, or one for the other platform.
RUN case "$BUILDARCH-$TARGETARCH" in \
      amd64-arm64) cross="gcc-aarch64-linux-gnu libc6-dev-arm64-cross" ;; \
      arm64-amd64) cross="gcc-x86-64-linux-gnu libc6-dev-amd64-cross" ;; \
    esac && \
    apt-get update && \
    apt-get install --yes --no-install-recommends gcc libc6-dev ${cross:-} && \
    rm -rf /var/lib/apt/lists/*
RUN case "$TARGETARCH" in amd64) arch=x86_64 ;; arm64) arch=aarch64 ;; esac && \
    rustup target add "$arch-unknown-linux-musl"
WORKDIR /build
COPY . .
ARG SOURCE_DATE_EPOCH=0
ENV SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH
RUN cp "$(.ci/static "$TARGETARCH")" /daemonset-controller && touch --date="@$SOURCE_DATE_EPOCH" /daemonset-controller

FROM scratch
LABEL org.opencontainers.image.title="daemonset-controller" \
      org.opencontainers.image.description="The Kubernetes DaemonSet controller, rebuilt" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /daemonset-controller /daemonset-controller
# By number, so that the kubelet can tell that it is not root.
USER 65532:65532
ENTRYPOINT ["/daemonset-controller"]
CMD ["run"]
