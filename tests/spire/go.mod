// Which SPIRE the tests run; `bootstrap` builds it. go.sum says what it must be.
module toolgate.example/tests/spire

go 1.26.6

require github.com/spiffe/spire v1.15.3
