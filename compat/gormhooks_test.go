package compat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
)

// gormHooked has every hook of GORM. They note their calls, and fail if the row asks for it.
type gormHooked struct {
	ID    uint
	Name  string `gorm:"size:50;uniqueIndex"`
	Price int
	Fails string // the hook that fails

	calls []string
}

// gormLogged is written by hooks, in the transaction of what they belong to.
type gormLogged struct {
	ID   uint
	Text string
}

var errHook = errors.New("the hook fails")

func (h *gormHooked) hook(tx *gorm.DB, name string) error {
	h.calls = append(h.calls, name)
	if err := tx.Session(&gorm.Session{NewDB: true}).Create(&gormLogged{Text: name + " " + h.Name}).Error; err != nil {
		return err
	}
	if h.Fails == name {
		return errHook
	}
	return nil
}

// BeforeSave changes what is saved.
func (h *gormHooked) BeforeSave(tx *gorm.DB) error {
	if h.Price < 0 {
		tx.Statement.SetColumn("Price", 0)
	}
	return h.hook(tx, "before save")
}

// BeforeCreate is one of GORM's hooks.
func (h *gormHooked) BeforeCreate(tx *gorm.DB) error { return h.hook(tx, "before create") }

// AfterCreate reads what was written before the commit.
func (h *gormHooked) AfterCreate(tx *gorm.DB) error {
	var price int
	if err := tx.Model(&gormHooked{}).Where("id = ?", h.ID).Select("price").Scan(&price).Error; err != nil {
		return err
	}
	h.calls = append(h.calls, fmt.Sprint("price ", price))
	return h.hook(tx, "after create")
}

// AfterSave is one of GORM's hooks.
func (h *gormHooked) AfterSave(tx *gorm.DB) error { return h.hook(tx, "after save") }

// BeforeUpdate says which columns change.
func (h *gormHooked) BeforeUpdate(tx *gorm.DB) error {
	h.calls = append(h.calls, fmt.Sprint("changes name, price: ", tx.Statement.Changed("Name"), tx.Statement.Changed("Price")))
	return h.hook(tx, "before update")
}

// AfterUpdate is one of GORM's hooks.
func (h *gormHooked) AfterUpdate(tx *gorm.DB) error { return h.hook(tx, "after update") }

// BeforeDelete is one of GORM's hooks.
func (h *gormHooked) BeforeDelete(tx *gorm.DB) error { return h.hook(tx, "before delete") }

// AfterDelete is one of GORM's hooks.
func (h *gormHooked) AfterDelete(tx *gorm.DB) error { return h.hook(tx, "after delete") }

// AfterFind is one of GORM's hooks.
func (h *gormHooked) AfterFind(tx *gorm.DB) error { return h.hook(tx, "after find") }

// What GORM's suite demands of hooks: their order, what they change and see, that they run in the
// transaction of their statement, and that one that fails undoes it.
func TestGormsHooks(t *testing.T) {
	agree(t, []string{"postgres", "mysql", "sqlite"}, func(t *testing.T, ctx context.Context, d Doors, n *notes) {
		g := gormOn(t, ctx, d, &gormHooked{}, &gormLogged{})
		took := func(what string, rows ...*gormHooked) {
			for _, h := range rows {
				n.add("%s: %s %d %v", what, h.Name, h.Price, h.calls)
				h.calls = nil
			}
		}
		lamp := &gormHooked{Name: "lamp", Price: -5}
		require.NoError(t, g.Create(lamp).Error)
		require.Equal(t, []string{"before save", "before create", "price 0", "after create", "after save"}, lamp.calls)
		took("create", lamp)
		batch := []*gormHooked{{Name: "one", Price: 1}, {Name: "two", Price: -2}, {Name: "three", Price: 3}}
		require.NoError(t, g.CreateInBatches(batch, 2).Error)
		took("in batches", batch...)
		lamp.Price = 7
		require.NoError(t, g.Save(lamp).Error)
		took("save", lamp)
		require.NoError(t, g.Model(lamp).Updates(map[string]any{"name": "light", "price": 7}).Error)
		took("updates", lamp)
		require.NoError(t, g.Model(lamp).UpdateColumn("price", 9).Error)
		require.Empty(t, lamp.calls, "UpdateColumn calls none")
		require.NoError(t, g.Session(&gorm.Session{SkipHooks: true}).Save(lamp).Error)
		require.Empty(t, lamp.calls)
		var found gormHooked
		require.NoError(t, g.First(&found, lamp.ID).Error)
		took("first", &found)
		var all []*gormHooked
		require.NoError(t, g.Order("id").Find(&all).Error)
		took("find", all...)
		require.NoError(t, g.Where("price >= 0").FindInBatches(&all, 2, func(tx *gorm.DB, batch int) error {
			n.add("batch %d of %d, with %d calls", batch, len(all), len(all[0].calls))
			return nil
		}).Error)
		require.NoError(t, g.Delete(lamp).Error)
		took("delete", lamp)

		var before int64
		require.NoError(t, g.Model(&gormLogged{}).Count(&before).Error)
		for _, name := range []string{"before save", "before create", "after create", "after save"} {
			h := &gormHooked{Name: "fails", Fails: name}
			require.ErrorIs(t, g.Create(h).Error, errHook)
			took("fails "+name, h)
		}
		kept := &gormHooked{Name: "kept", Price: 1}
		require.NoError(t, g.Session(&gorm.Session{SkipHooks: true}).Create(kept).Error)
		for _, name := range []string{"before update", "after update", "after save"} {
			kept.Fails = name
			require.ErrorIs(t, g.Model(kept).Update("price", 2).Error, errHook)
			took("fails "+name, kept)
		}
		for _, name := range []string{"before delete", "after delete"} {
			kept.Fails = name
			require.ErrorIs(t, g.Delete(kept).Error, errHook)
			took("fails "+name, kept)
		}
		var prices []int
		require.NoError(t, g.Model(&gormHooked{}).Where("name in ?", []string{"kept", "fails"}).Pluck("price", &prices).Error)
		require.Equal(t, []int{1}, prices, "nothing of what failed is left")
		var logged int64
		require.NoError(t, g.Model(&gormLogged{}).Count(&logged).Error)
		require.Equal(t, before, logged, "nor what the hooks wrote")
		require.ErrorIs(t, g.Create([]*gormHooked{{Name: "good"}, {Name: "bad", Fails: "after create"}}).Error, errHook)
		require.ErrorIs(t, g.First(&gormHooked{}, "name = ?", "good").Error, gorm.ErrRecordNotFound)
		hooksInTransactions(t, ctx, g)
		var texts []string
		require.NoError(t, g.Model(&gormLogged{}).Pluck("text", &texts).Error)
		slices.Sort(texts)
		n.add("%v", texts)
	})
}

// hooksInTransactions creates rows from many callers; the hook of every second one fails in a
// savepoint, which leaves the outer transaction usable.
func hooksInTransactions(t *testing.T, ctx context.Context, g *gorm.DB) {
	fns := make([]func() error, 8)
	for i := range fns {
		fns[i] = func() error {
			return g.Transaction(func(tx *gorm.DB) error {
				if err := tx.Create(&gormHooked{Name: fmt.Sprint("outer ", i)}).Error; err != nil {
					return err
				}
				h := &gormHooked{Name: fmt.Sprint("inner ", i)}
				if i%2 == 1 {
					h.Fails = "after save"
				}
				err := tx.Transaction(func(tx *gorm.DB) error { return tx.Create(h).Error })
				if (err != nil) != (i%2 == 1) || err != nil && !errors.Is(err, errHook) {
					return fmt.Errorf("caller %d: %w", i, err)
				}
				return nil
			})
		}
	}
	together(t, ctx, fns)
	var outer, inner int64
	require.NoError(t, g.Model(&gormHooked{}).Where("name like ?", "outer%").Count(&outer).Error)
	require.NoError(t, g.Model(&gormHooked{}).Where("name like ?", "inner%").Count(&inner).Error)
	require.EqualValues(t, 8, outer)
	require.EqualValues(t, 4, inner)
}
