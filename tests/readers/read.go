// How Go reads a message: into structures, whose keys it matches without case, and the first
// document of a stream. One line in, two out.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
)

type reference struct {
	Type string  `json:"type"`
	Name *string `json:"name"`
	URI  *string `json:"uri"`
}

type params struct {
	Name      *string         `json:"name"`
	URI       *string         `json:"uri"`
	TaskID    *string         `json:"taskId"`
	Ref       *reference      `json:"ref"`
	Arguments json.RawMessage `json:"arguments"`
	Wanted    *struct {
		URIs []string `json:"resourceSubscriptions"`
	} `json:"notifications"`
}

type message struct {
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
}

type said struct {
	Method    string `json:"method"`
	Target    any    `json:"target"`
	Arguments any    `json:"arguments"`
}

func read(m *message) *said {
	s := &said{Method: m.Method}
	var p params
	if m.Params != nil && json.Unmarshal(m.Params, &p) != nil {
		return nil
	}
	switch m.Method {
	case "tools/call":
		s.Target = p.Name
		s.Arguments = map[string]any{}
		if p.Arguments != nil {
			if json.Unmarshal(p.Arguments, &s.Arguments) != nil {
				return nil
			}
		}
	case "prompts/get":
		s.Target = p.Name
	case "resources/read", "resources/subscribe", "resources/unsubscribe":
		s.Target = p.URI
	case "tasks/get", "tasks/cancel":
		s.Target = p.TaskID
	case "subscriptions/listen":
		uris := []string{}
		if p.Wanted != nil && p.Wanted.URIs != nil {
			uris = p.Wanted.URIs
		}
		s.Target = uris
	case "completion/complete":
		if p.Ref != nil {
			s.Target = p.Ref.Name
			if p.Ref.Name == nil {
				s.Target = p.Ref.URI
			}
		}
	}
	return s
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 16<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	say := func(m *message, err error) {
		var s *said
		if err == nil {
			s = read(m)
		}
		line, _ := json.Marshal(s)
		fmt.Fprintf(out, "%s\n", line)
	}
	for in.Scan() {
		body, err := base64.StdEncoding.DecodeString(in.Text())
		if err != nil {
			panic(err)
		}
		var whole, first message
		say(&whole, json.Unmarshal(body, &whole))
		say(&first, json.NewDecoder(bytes.NewReader(body)).Decode(&first))
	}
}
