package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
)

// A client makes requests over connections of its own.
type client struct{ http.Client }

func newClient() *client {
	return &client{http.Client{Transport: new(http.Transport)}}
}

// leave closes the connections. A transport may have opened one that it never used, for which a
// service that stops waits 5 s: a request could still be on its way.
func (c *client) leave() { c.CloseIdleConnections() }

// get returns the body of a successful response.
func (c *client) get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := c.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", url, response.Status, body)
	}
	return body, err
}
