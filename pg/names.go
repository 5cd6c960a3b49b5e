package pg

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Prepare gives a statement a name. On this session, until its release, the name can take the place
// of the text. Prepare also describes the statement. A name can be given again, also to another
// statement.
//
// It isn't needed for speed: the driver prepares every statement when it is first used.
func (s *Session) Prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error) {
	return s.s.executor().prepare(ctx, name, sql, false)
}

// Deallocate forgets a name of Prepare. An unknown name isn't an error. It doesn't wait.
func (s *Session) Deallocate(_ context.Context, name string) error {
	s.s.mu.Lock()
	defer s.s.mu.Unlock()
	if s.s.ended() {
		return errReleased
	}
	delete(s.s.names, name)
	return nil
}

// Prepare is [Session.Prepare] in the transaction. The name stays known until the session that it
// runs on is released.
func (tx *Tx) Prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error) {
	return tx.s.executor().prepare(ctx, name, sql, true)
}

func (s executor) prepare(ctx context.Context, name, sql string, inTx bool) (_ *pgconn.StatementDescription, err error) {
	if t, ok := s.db.config.Tracer.(pgx.PrepareTracer); ok {
		ctx = t.TracePrepareStart(ctx, nil, pgx.TracePrepareStartData{Name: name, SQL: sql})
		err = errUnwound
		defer func() { t.TracePrepareEnd(ctx, nil, pgx.TracePrepareEndData{Err: err}) }()
	}
	sh, err := s.describe(ctx, sql, inTx)
	if err != nil {
		return nil, (&query{text: sql}).failed(StagePrepare, err)
	}
	if name != "" {
		s.mu.Lock()
		defer s.mu.Unlock()
		owner := s.root()
		if owner.names == nil {
			owner.names = map[string]string{}
		}
		owner.names[name] = sql
	}
	return &pgconn.StatementDescription{Name: name, SQL: sql, ParamOIDs: sh.params, Fields: sh.fields}, nil
}

// resolveName replaces the text of a query if it is a name.
func (s executor) resolveName(q *query) {
	if s.session() == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if sql, ok := s.root().names[q.text]; ok {
		q.text = sql
	}
}
