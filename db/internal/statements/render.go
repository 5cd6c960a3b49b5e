package statements

import (
	"strings"
)

// render sets Text and Params from the pieces. If shapes isn't nil, it says for each name how a
// list is written; see Expand.
func (st *Statement) render(l Language, pieces []piece, shapes []shape) {
	if len(pieces) == 1 && pieces[0].text != "" {
		st.Text = pieces[0].text
		return
	}
	var b strings.Builder
	first := make([]int, len(st.names)) // the number of each name's first placeholder
	place := func(name int) {
		st.Params = append(st.Params, st.names[name])
		b.WriteString(l.Placeholder(len(st.Params)))
	}
	for _, p := range pieces {
		switch {
		case p.text != "":
			b.WriteString(p.text)
			continue
		case p.bare:
			b.WriteByte('(')
		}
		switch {
		case p.list && shapes != nil && shapes[p.name].isList:
			shapes[p.name].write(&b, l.emptyList(p.wide, p.not), func() { place(p.name) })
		case l.numbered && first[p.name] > 0:
			b.WriteString(l.Placeholder(first[p.name]))
		default:
			place(p.name)
			first[p.name] = len(st.Params)
		}
		if p.bare {
			b.WriteByte(')')
		}
	}
	st.Text = b.String()
}
