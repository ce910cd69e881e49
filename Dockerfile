# Toolgate, and beside it the samples of the demo.
#
#   docker build --target toolgate -t toolgate .

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --locked --release --bin toolgate

FROM debian:bookworm-slim AS toolgate
COPY --from=build /src/target/release/toolgate /usr/local/bin/toolgate
# The group is Envoy's: it may open the socket, and nobody else may.
USER 65532:101
ENTRYPOINT ["/usr/local/bin/toolgate"]
CMD ["serve", "--config", "/etc/toolgate/toolgate.yaml"]

FROM build AS build-samples
RUN cargo build --locked --release --example dev_identity --example sample_servers

# The identity provider and the MCP servers of the demo: for development only.
FROM debian:bookworm-slim AS samples
COPY --from=build-samples /src/target/release/examples/dev_identity \
     /src/target/release/examples/sample_servers /usr/local/bin/
USER 65532:65532
