// Which OPA the benchmark runs beside; `bootstrap` builds it. go.sum says what it must be.
module toolgate.example/tests/bench/opa

go 1.24.0

require github.com/open-policy-agent/opa-envoy-plugin v1.7.1-envoy
