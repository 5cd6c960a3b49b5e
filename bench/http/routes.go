package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"html/template"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// A response is the body, and its type.
type response struct {
	body []byte
	kind string
}

const (
	jsonType = "application/json"
	htmlType = "text/html; charset=utf-8"
)

var errNoRoute = errors.New("there is no such route")

// answer answers a request. param returns a parameter of its URL, or "".
func answer(ctx context.Context, s store, path string, param func(name string) string) (response, error) {
	switch path {
	case "/db":
		found, err := s.worlds(ctx, draw(1))
		if err != nil {
			return response{}, err
		}
		return asJSON(found[0])
	case "/queries":
		found, err := s.worlds(ctx, draw(number(param("n"), 1, 1, 500)))
		if err != nil {
			return response{}, err
		}
		return asJSON(found)
	case "/updates":
		found, err := s.update(ctx, draw(number(param("n"), 1, 1, 500)))
		if err != nil {
			return response{}, err
		}
		return asJSON(found)
	case "/fortunes":
		found, err := s.fortunes(ctx)
		if err != nil {
			return response{}, err
		}
		return asPage(found)
	case "/async-db":
		found, err := s.items(ctx, number(param("min"), 10, 0, 1<<30), number(param("max"), 50, 0, 1<<30), number(param("limit"), 50, 1, 50))
		if err != nil {
			return response{}, err
		}
		return asJSON(items{found, len(found)})
	}
	return response{}, errNoRoute
}

// items is the answer of /async-db.
type items struct {
	Items []Item `json:"items"`
	Count int    `json:"count"`
}

// number reads a parameter within limits, as the rules demand. It returns otherwise for a text that
// isn't a number.
func number(text string, otherwise, least, most int) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return otherwise
	}
	return min(max(n, least), most)
}

func asJSON(v any) (response, error) {
	body, err := json.Marshal(v)
	return response{body, jsonType}, err
}

var page = template.Must(template.New("fortunes").Parse(`<!DOCTYPE html><html><head><title>Fortunes</title></head><body><table><tr><th>id</th><th>message</th></tr>
{{- range .}}<tr><td>{{.ID}}</td><td>{{.Message}}</td></tr>{{end}}</table></body></html>`))

func asPage(all []Fortune) (response, error) {
	all = append(all, Fortune{0, "Additional fortune added at request time."})
	slices.SortFunc(all, func(a, b Fortune) int { return strings.Compare(a.Message, b.Message) })
	var out bytes.Buffer
	err := page.Execute(&out, all)
	return response{out.Bytes(), htmlType}, err
}

// stopTime is how long requests under way may take after a service is stopped.
const stopTime = 5 * time.Second

// serveNet serves by net/http.
func serveNet(l net.Listener, s store) (stop func() error) {
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		a, err := answer(r.Context(), s, r.URL.Path, query.Get)
		if err != nil {
			http.Error(w, err.Error(), status(err))
			return
		}
		w.Header().Set("Content-Type", a.kind)
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
		_, _ = w.Write(a.body) // the client may be gone
	})}
	var served sync.WaitGroup
	served.Go(func() { _ = server.Serve(l) })
	return func() error {
		ctx, cancel := context.WithTimeout(context.Background(), stopTime)
		defer cancel()
		err := server.Shutdown(ctx)
		served.Wait()
		return err
	}
}

// serveFast serves by fasthttp.
func serveFast(l net.Listener, s store) (stop func() error) {
	server := &fasthttp.Server{Handler: func(r *fasthttp.RequestCtx) {
		a, err := answer(r, s, string(r.Path()), func(name string) string { return string(r.QueryArgs().Peek(name)) })
		if err != nil {
			r.Error(err.Error(), status(err))
			return
		}
		r.SetContentType(a.kind)
		r.SetBody(a.body)
	}}
	var served sync.WaitGroup
	served.Go(func() { _ = server.Serve(l) })
	return func() error {
		ctx, cancel := context.WithTimeout(context.Background(), stopTime)
		defer cancel()
		err := server.ShutdownWithContext(ctx)
		served.Wait()
		return err
	}
}

func status(err error) int {
	if errors.Is(err, errNoRoute) {
		return http.StatusNotFound
	}
	return http.StatusInternalServerError
}
