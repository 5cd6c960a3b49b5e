package pg

import (
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/seed1239206e/repaint/internal/pgcalendar"
)

// checkTimes makes a map refuse times that the server can't store, even in arrays and ranges, whose
// codecs ask the map to encode their elements. In pgtype's binary form such times would become
// other times. Its text form is right, and the server refuses it.
func checkTimes(m *pgtype.Map) {
	for oid, check := range map[uint32]func(value any) error{
		pgtype.TimestamptzOID: checkTimestamptz, pgtype.TimestampOID: checkTimestamp, pgtype.DateOID: checkDate,
	} {
		if t, ok := m.TypeForOID(oid); ok {
			m.RegisterType(&pgtype.Type{Name: t.Name, OID: oid, Codec: timeCodec{t.Codec, check}})
		}
	}
}

// timeCodec is a codec of times that checks what it encodes.
type timeCodec struct {
	pgtype.Codec
	check func(value any) error
}

func (c timeCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	plan := c.Codec.PlanEncode(m, oid, format, value)
	if plan == nil || format != pgtype.BinaryFormatCode {
		return plan
	}
	return timePlan{plan, c.check}
}

type timePlan struct {
	plan  pgtype.EncodePlan
	check func(value any) error
}

func (p timePlan) Encode(value any, buf []byte) ([]byte, error) {
	if err := p.check(value); err != nil {
		return nil, err
	}
	return p.plan.Encode(value, buf)
}

func checkTimestamptz(value any) error {
	v, ok := value.(pgtype.TimestamptzValuer)
	if !ok {
		return nil
	}
	t, err := v.TimestamptzValue()
	return checkTime(t.Time, t.Valid, t.InfinityModifier, err, pgcalendar.Timestamp)
}

func checkTimestamp(value any) error {
	v, ok := value.(pgtype.TimestampValuer)
	if !ok {
		return nil
	}
	t, err := v.TimestampValue()
	return checkTime(t.Time, t.Valid, t.InfinityModifier, err, pgcalendar.Timestamp)
}

func checkDate(value any) error {
	v, ok := value.(pgtype.DateValuer)
	if !ok {
		return nil
	}
	t, err := v.DateValue()
	return checkTime(t.Time, t.Valid, t.InfinityModifier, err, pgcalendar.Date)
}

func checkTime(t time.Time, valid bool, infinity pgtype.InfinityModifier, err error, check func(time.Time) error) error {
	if err != nil || !valid || infinity != pgtype.Finite {
		return err
	}
	return check(t)
}
