package main

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
)

// gateway stands between libvirt and the simulator, and mends what the one says so that the other understands it.
type gateway struct {
	inner    http.Handler
	machines *machines
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		g.inner.ServeHTTP(w, r)
		if r.Method == http.MethodPut {
			g.machines.uploaded(r.URL)
		}
		return
	}
	request, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	request = mendRequest(request)
	r.Body = io.NopCloser(bytes.NewReader(request))
	r.ContentLength = int64(len(request))
	answer := httptest.NewRecorder()
	g.inner.ServeHTTP(answer, r)
	body := mendResponse(answer.Body.Bytes())
	if bytes.Contains(request, []byte("<RegisterVM_Task")) {
		// Its caller looks at the machine only after this answer.
		if err := g.machines.registered(r.Context(), body); err != nil {
			log.Printf("a registered machine keeps the simulator's values: %v", err)
		}
	}
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(answer.Code)
	_, _ = w.Write(body)
}
