# What Toolgate checks of a call of a tool, as a policy for OPA: the token's signature, issuer,
# audience and times; the place by the caller's workload; who may call which tool; its limits.
package toolgate.bench

default allow := false

allow if {
	token := trim_prefix(input.attributes.request.http.headers.authorization, "Bearer ")
	[valid, _, claims] := io.jwt.decode_verify(token, {
		"cert": data.bench.jwks,
		"iss": data.bench.issuer,
		"aud": data.bench.audience,
	})
	valid

	input.attributes.request.http.method == "POST"
	message := input.parsed_body
	message.jsonrpc == "2.0"
	message.method == "tools/call"

	server := data.bench.servers[input.attributes.request.http.path]
	tool := server.tools[message.params.name]
	place := data.bench.places[principal]
	some grant in server.grants
	message.params.name in grant.call
	place in grant.via
	some group in claims.groups
	group in grant.people

	within(message.params.arguments, tool)
}

principal := object.get(input.attributes.source, "principal", "")

within(arguments, tool) if {
	every name, _ in arguments { name in tool.accepts }
	every name, range in tool.between {
		arguments[name] >= range[0]
		arguments[name] <= range[1]
	}
	every name, length in tool.max_length { count(arguments[name]) <= length }
}
