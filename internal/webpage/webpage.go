// Package webpage writes self-contained HTML pages: one file with its style, its script and its
// data, which needs no network and loads nothing. It has what the pages of schedules and of traces
// share.
package webpage

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
)

//go:embed base.css
var baseStyle string

//go:embed base.js
var baseScript string

//go:embed page.html
var frame string

var page = template.Must(template.New("page").Parse(frame))

// A Page is what a kind of page adds to what all pages share. Style and Script are the program's
// own text. Everything else may come from anywhere, and is escaped.
type Page struct {
	Title  string
	Style  string
	Script string             // runs once the body is there
	Body   *template.Template // is executed with View
	View   any
	Data   any // for the script, as JSON in the element "data"; nil if there is none
}

// Write writes the page. An error is the template's, if View doesn't fit it, or w's.
func Write(w io.Writer, p Page) error {
	var body bytes.Buffer
	if err := p.Body.Execute(&body, p.View); err != nil {
		return fmt.Errorf("making the page %q: %w", p.Title, err)
	}
	script := baseScript + p.Script
	sum := sha256.Sum256([]byte(script))
	var out bytes.Buffer
	err := page.Execute(&out, map[string]any{
		"Title":  p.Title,
		"Style":  template.CSS(baseStyle + p.Style),
		"Script": template.JS(script),
		// Only this script may run, and nothing may be fetched, whatever a value has in it.
		"Policy": fmt.Sprintf("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-%s'; base-uri 'none'; form-action 'none'",
			base64.StdEncoding.EncodeToString(sum[:])),
		"Body": template.HTML(body.String()), // the template has escaped it
		"Data": p.Data,
	})
	if err != nil {
		return fmt.Errorf("making the page %q: %w", p.Title, err)
	}
	if _, err := w.Write(out.Bytes()); err != nil {
		return fmt.Errorf("writing the page %q: %w", p.Title, err)
	}
	return nil
}
