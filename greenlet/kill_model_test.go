package greenlet_test

import (
	"fmt"
	"slices"
)

// A killModel says what a random program of kills must do: see kill_property_test.go for such
// programs. It follows the rules of the package documentation and uses no goroutines: a suspended
// greenlet is a function that takes the message with which control comes back.
type killModel struct {
	killProgram
	all     []*modelGreenlet // the first is the root
	current *modelGreenlet
	inbox   *modelMessage // for current
	kills   []*modelKill  // in the order in which they began
	garbage []*modelGreenlet
	over    bool
}

type modelGreenlet struct {
	id       int
	parent   *modelGreenlet
	state    modelState
	stubborn int // how many times it still survives
	// phase 0 is the function's body, 1 and 2 are its deferred functions, 3 is the end.
	phase   int
	result  modelMessage  // what it returns
	unwinds *modelMessage // the panic, or kill, that unwinds it
	goexit  bool          // a Goexit goes on when no panic does
	receive func(modelMessage)
}

type modelState int

const (
	modelUnstarted modelState = iota
	modelActive
	modelDead
)

type modelMessage struct {
	kind messageKind
	text string
}

var anExit = modelMessage{anError, "exit"}

type messageKind int

const (
	aValue messageKind = iota
	anError
	aKill
	aPanic
	aGoexit
)

// modelKill makes the victim's end go to the killer.
type modelKill struct {
	victim, killer *modelGreenlet
	loan, arrived  bool
}

// run returns the log.
func (p killProgram) model() []string {
	m := &killModel{killProgram: p}
	for i := range p.parents {
		g := &modelGreenlet{id: i, stubborn: p.stubborn[i]}
		if i > 0 {
			g.parent = m.all[p.parents[i]]
		}
		m.all = append(m.all, g)
	}
	m.current = m.all[0]
	m.current.state = modelActive
	for !m.over {
		if in := m.inbox; in != nil {
			m.inbox = nil
			m.current.receive(*in)
		} else {
			m.act()
		}
	}
	return m.log
}

func (m *killModel) note(format string, args ...any) {
	m.killProgram.note(m.current.id, format, args...)
}

// act does the program's next step in the current greenlet.
func (m *killModel) act() {
	g := m.current
	a := m.draw()
	target := m.all[a.target]
	op := a.String()
	switch a.do {
	case doStop:
		if g.id == 0 {
			m.over = true
			return
		}
		m.transfer(op, m.all[0], modelMessage{aValue, "stop"})
	case doSwitch:
		m.transfer(op, target, modelMessage{aValue, a.value()})
	case doThrow:
		m.transfer(op, target, modelMessage{anError, a.value()})
	case doThrowExit:
		m.transfer(op, target, modelMessage{anError, "exit"})
	case doKill:
		m.kill(op, target)
	case doCurrent:
		m.killGarbage(func(in modelMessage, ok bool) {
			switch {
			case ok:
				m.note("%s", op)
			case in.kind == anError:
				m.note("report %s", in.text)
				m.note("%s", op)
			default:
				m.result(op, in)
			}
		})
	case doForget:
		if target != g && target.id != 0 && target.state == modelActive {
			m.garbage = append(m.garbage, target)
		}
	case doSetParent:
		m.note("%s: %s", op, m.setParent(target, m.all[a.other]))
	case doReturn:
		m.leave(modelMessage{aValue, a.value()}, false)
	case doFail:
		m.leave(modelMessage{anError, a.value()}, false)
	case doRecover:
		m.leave(modelMessage{aValue, a.value()}, true)
	case doPanic:
		if g.id != 0 {
			m.raise(modelMessage{aPanic, a.value()})
		}
	case doGoexit:
		if g.id != 0 {
			m.raise(modelMessage{aGoexit, ""})
		}
	}
}

func (m *killModel) setParent(g, parent *modelGreenlet) string {
	if g.id == 0 {
		return "root"
	}
	for a := parent; a != nil; a = a.parent {
		if a == g {
			return "cycle"
		}
	}
	g.parent = parent
	return "done"
}

// transfer is a Switch or Throw.
func (m *killModel) transfer(op string, target *modelGreenlet, out modelMessage) {
	m.killGarbage(func(in modelMessage, ok bool) {
		if !ok {
			m.result(op, in)
			return
		}
		if target.state == modelDead && out == anExit {
			out.kind = aValue
		}
		to, out := m.receiver(target, out)
		if to == m.current {
			m.result(op, out)
			return
		}
		m.current.receive = func(in modelMessage) { m.result(op, in) }
		m.give(to, out)
	})
}

// receiver returns the greenlet that gets a message, and the message as it arrives.
func (m *killModel) receiver(g *modelGreenlet, out modelMessage) (*modelGreenlet, modelMessage) {
	for g.state != modelActive {
		if g.state == modelUnstarted {
			if out.kind == aValue {
				return g, out
			}
			g.state = modelDead
			if out == anExit {
				out.kind = aValue
			}
		}
		g = g.parent
	}
	return g, out
}

func (m *killModel) give(to *modelGreenlet, out modelMessage) {
	m.current = to
	if to.state == modelUnstarted {
		to.state = modelActive
		m.note("started with %s", out.text)
		return
	}
	m.inbox = &out
}

// result is what an operation returns in the current greenlet, or raises.
func (m *killModel) result(op string, in modelMessage) {
	m.note("%s: %s", op, in)
	if in.kind != aValue && in.kind != anError {
		m.raise(in)
	}
}

// raise unwinds the current greenlet.
func (m *killModel) raise(in modelMessage) {
	g := m.current
	switch {
	case g.id == 0:
		m.over = in.kind == aGoexit
		return
	case g.phase == 0 && g.stubborn > 0 && in.kind != aGoexit:
		g.stubborn--
		m.note("survives")
		return
	case in.kind == aGoexit:
		g.goexit, g.unwinds = true, nil
	default:
		g.unwinds = &in
	}
	m.nextPhase()
}

// leave ends the body, with a result, or a deferred function, which may recover.
func (m *killModel) leave(result modelMessage, recovers bool) {
	g := m.current
	if g.id == 0 {
		return
	}
	if g.phase == 0 {
		g.result = result
	} else if recovers {
		g.unwinds = nil
	}
	m.nextPhase()
}

func (m *killModel) nextPhase() {
	g := m.current
	g.phase++
	switch {
	case g.phase < 3:
		m.note("phase %d", g.phase)
	case g.unwinds != nil && g.unwinds.kind == aKill:
		m.end(modelMessage{aValue, "exit"})
	case g.unwinds != nil:
		m.end(*g.unwinds)
	case g.goexit:
		m.end(modelMessage{aGoexit, ""})
	default:
		m.end(g.result)
	}
}

// end gives control to the greenlet that was the last to await this one's end, or to the parent.
func (m *killModel) end(out modelMessage) {
	g := m.current
	g.state = modelDead
	heir := g.parent
	for _, k := range slices.Backward(m.kills) {
		if k.victim == g && (!k.loan || out.kind == aValue) {
			k.arrived = true
			heir = k.killer
			break
		}
	}
	m.give(m.receiver(heir, out))
}

// kill is a Kill that the current greenlet calls.
func (m *killModel) kill(op string, g *modelGreenlet) {
	switch {
	case g.id == 0:
		m.note("%s: root", op)
	case g == m.current:
		m.raise(modelMessage{aKill, ""})
	case g.state != modelActive:
		g.state = modelDead
		m.note("%s: %s", op, modelMessage{})
	default:
		m.killing(g, func(in modelMessage, ended bool) {
			switch {
			case !ended && in.kind == aValue && g.state != modelDead:
				m.note("%s: survived", op)
			case in.kind == aValue:
				m.note("%s: %s", op, modelMessage{})
			default:
				m.result(op, in)
			}
		})
	}
}

// killing kills an active greenlet. When control comes back, it passes the message to then, and
// whether the greenlet's end has sent it.
func (m *killModel) killing(g *modelGreenlet, then func(in modelMessage, ended bool)) {
	m.await(g, false, modelMessage{aKill, ""}, func(in modelMessage, arrived bool) {
		if !arrived {
			then(in, false)
			return
		}
		m.resumeKillers(g, func(other modelMessage, ok bool) {
			if ok {
				then(in, true)
				return
			}
			if in.kind == anError || in.kind == aPanic {
				m.note("report %s", in.text)
			}
			then(other, false)
		})
	})
}

func (m *killModel) await(g *modelGreenlet, loan bool, out modelMessage, then func(in modelMessage, arrived bool)) {
	k := &modelKill{victim: g, killer: m.current, loan: loan}
	m.kills = append(m.kills, k)
	m.current.receive = func(in modelMessage) {
		m.kills = slices.DeleteFunc(m.kills, func(o *modelKill) bool { return o == k })
		then(in, k.arrived)
	}
	m.give(g, out)
}

// resumeKillers resumes the other greenlets that await the end of g, except for the current
// greenlet's ancestors.
func (m *killModel) resumeKillers(g *modelGreenlet, then func(in modelMessage, ok bool)) {
	ancestors := make(map[*modelGreenlet]bool)
	for a := m.current; a != nil; a = a.parent {
		ancestors[a] = true
	}
	for _, k := range m.kills {
		if k.victim != g || ancestors[k.killer] {
			continue
		}
		m.await(k.killer, true, modelMessage{}, func(in modelMessage, arrived bool) {
			switch {
			case in.kind != aValue:
				then(in, false)
			case arrived:
				m.resumeKillers(k.killer, func(in modelMessage, ok bool) {
					if !ok {
						then(in, false)
						return
					}
					m.resumeKillers(g, then)
				})
			default:
				m.resumeKillers(g, then)
			}
		})
		return
	}
	then(modelMessage{}, true)
}

// killGarbage kills the forgotten greenlets. If ok is false, another message has arrived at the
// current greenlet.
func (m *killModel) killGarbage(then func(in modelMessage, ok bool)) {
	for len(m.garbage) > 0 {
		g := m.garbage[0]
		m.garbage = m.garbage[1:]
		if g.state == modelDead || g == m.current {
			continue
		}
		m.killing(g, func(in modelMessage, ended bool) {
			switch {
			case !ended && in.kind != aValue:
				then(in, false)
				return
			case !ended && g.state != modelDead:
				m.note("report survived")
			case in.kind == aGoexit:
				m.note("report Goexit")
			case in.kind != aValue:
				m.note("report %s", in.text)
			}
			m.killGarbage(then)
		})
		return
	}
	then(modelMessage{}, true)
}

func (in modelMessage) String() string {
	switch in.kind {
	case aValue:
		return fmt.Sprintf("value %s", in.text)
	case anError:
		return fmt.Sprintf("error %s", in.text)
	case aKill:
		return "killed"
	case aPanic:
		return fmt.Sprintf("panic %s", in.text)
	}
	return "Goexit"
}
