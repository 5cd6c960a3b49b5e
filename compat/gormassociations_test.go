package compat

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
)

type gormFirm struct {
	ID   int
	Name string
}

type gormCard struct {
	ID       uint
	PersonID *uint
	Number   string
}

type gormToy struct {
	ID        uint
	Name      string
	OwnerID   uint
	OwnerType string
}

type gormAnimal struct {
	ID       uint
	PersonID *uint
	Name     string
	Toy      gormToy `gorm:"polymorphic:Owner"`
}

type gormTongue struct {
	Code string `gorm:"primaryKey;size:20"`
	Name string
}

type gormPerson struct {
	ID        uint
	Name      string
	Card      *gormCard     `gorm:"foreignKey:PersonID"` // has one
	Animals   []*gormAnimal `gorm:"foreignKey:PersonID"` // has many
	Toys      []gormToy     `gorm:"polymorphic:Owner"`   // has many of a polymorphic kind
	FirmID    *int          //
	Firm      *gormFirm     // belongs to
	BossID    *uint         //
	Boss      *gormPerson   // belongs to its own kind
	Team      []gormPerson  `gorm:"foreignKey:BossID"`             // has many of its own kind
	Tongues   []gormTongue  `gorm:"many2many:gorm_person_tongues"` //
	Friends   []*gormPerson `gorm:"many2many:gorm_person_friends"` // of its own kind
	DeletedAt gorm.DeletedAt
}

func gormOn(t *testing.T, ctx context.Context, d Doors, models ...any) *gorm.DB {
	g, err := gorm.Open(gormDialector(d), &gorm.Config{TranslateError: true, Logger: logger.Discard})
	require.NoError(t, err)
	g = g.WithContext(ctx)
	require.NoError(t, g.AutoMigrate(models...))
	return g
}

// person makes a person with one or two of everything.
func person(name string) *gormPerson {
	return &gormPerson{
		Name:    name,
		Card:    &gormCard{Number: "card of " + name},
		Animals: []*gormAnimal{{Name: "cat of " + name, Toy: gormToy{Name: "mouse of " + name}}, {Name: "dog of " + name}},
		Toys:    []gormToy{{Name: "ball of " + name}, {Name: "kite of " + name}},
		Firm:    &gormFirm{Name: "firm of " + name},
		Boss:    &gormPerson{Name: "boss of " + name},
		Team:    []gormPerson{{Name: "one of " + name}, {Name: "two of " + name}},
		Tongues: []gormTongue{{"en", "English"}, {"de", "German"}},
		Friends: []*gormPerson{{Name: "friend of " + name}},
	}
}

// whole shows a person with everything that is loaded.
func whole(p gormPerson) string {
	var s []string
	add := func(format string, args ...any) { s = append(s, fmt.Sprintf(format, args...)) }
	list := func(what string, names []string) {
		slices.Sort(names)
		add("%s %v", what, names)
	}
	add("%s", p.Name)
	if p.Card != nil {
		add("card %s, whose person is set: %v", p.Card.Number, p.Card.PersonID != nil && *p.Card.PersonID == p.ID)
	}
	if p.Firm != nil {
		add("firm %s", p.Firm.Name)
	}
	if p.Boss != nil {
		add("boss %s", p.Boss.Name)
	}
	var animals, toys, team, tongues, friends []string
	for _, a := range p.Animals {
		animals = append(animals, a.Name+"/"+a.Toy.Name+"/"+a.Toy.OwnerType)
	}
	for _, y := range p.Toys {
		toys = append(toys, y.Name+"/"+y.OwnerType)
	}
	for _, m := range p.Team {
		team = append(team, m.Name)
	}
	for _, l := range p.Tongues {
		tongues = append(tongues, l.Code+"/"+l.Name)
	}
	for _, f := range p.Friends {
		friends = append(friends, f.Name)
	}
	list("animals", animals)
	list("toys", toys)
	list("team", team)
	list("tongues", tongues)
	list("friends", friends)
	return strings.Join(s, "; ")
}

// What GORM's suite demands of associations: they are created with their owner, preloaded, joined,
// found, counted, appended, replaced, deleted, cleared and saved, for each kind.
func TestGormsAssociations(t *testing.T) {
	agree(t, []string{"postgres", "mysql", "sqlite"}, func(t *testing.T, ctx context.Context, d Doors, n *notes) {
		g := gormOn(t, ctx, d, &gormFirm{}, &gormPerson{}, &gormCard{}, &gormToy{}, &gormAnimal{}, &gormTongue{})
		load := func(id uint) string {
			var p gormPerson
			require.NoError(t, g.Preload(clause.Associations).Preload("Animals.Toy").First(&p, id).Error)
			return whole(p)
		}
		ada, bob := person("ada"), person("bob")
		require.NoError(t, g.Create(ada).Error)
		require.NoError(t, g.Create(bob).Error, "it has the tongues, too")
		n.add("made: %s", load(ada.ID))
		require.Contains(t, load(bob.ID), "animals [cat of bob/mouse of bob/gorm_animals dog of bob//]")
		require.Contains(t, load(bob.ID), "tongues [de/German en/English]")
		preloads(t, g, n)
		for _, kind := range []struct {
			name string
			more func(name string) any
		}{
			{"Card", func(name string) any { return &gormCard{Number: name} }},
			{"Animals", func(name string) any { return &gormAnimal{Name: name, Toy: gormToy{Name: "toy of " + name}} }},
			{"Toys", func(name string) any { return &gormToy{Name: name} }},
			{"Firm", func(name string) any { return &gormFirm{Name: name} }},
			{"Team", func(name string) any { return &gormPerson{Name: name} }},
			{"Tongues", func(name string) any { return &gormTongue{Code: name[:3], Name: name} }},
			{"Friends", func(name string) any { return &gormPerson{Name: name} }},
		} {
			of := func() *gorm.Association { return g.Model(ada).Association(kind.name) }
			before := of().Count()
			require.NoError(t, of().Append(kind.more("xyz appended")))
			n.add("%s: %d, appended %d: %s", kind.name, before, of().Count(), load(ada.ID))
			replaced := kind.more("abc replaced")
			require.NoError(t, of().Replace(replaced))
			require.EqualValues(t, 1, of().Count())
			n.add("%s replaced: %s", kind.name, load(ada.ID))
			require.NoError(t, of().Delete(replaced))
			require.Zero(t, of().Count())
			require.NoError(t, of().Append(kind.more("qrs again")))
			require.NoError(t, of().Clear())
			require.Zero(t, of().Count())
			n.add("%s cleared: %s", kind.name, load(ada.ID))
		}
		n.add("the other has its own: %s", load(bob.ID))
		saves(t, g, n, bob, load)
		manyAtOnce(t, ctx, g)
	})
}

func preloads(t *testing.T, g *gorm.DB, n *notes) {
	var people []gormPerson
	require.NoError(t, g.Preload("Animals", "name like ?", "cat%").Preload("Team", func(tx *gorm.DB) *gorm.DB {
		return tx.Order("name desc").Limit(1)
	}).Where("name in ?", []string{"ada", "bob"}).Order("name").Find(&people).Error)
	for _, p := range people {
		n.add("with conditions: %s", whole(p))
	}
	people = nil
	require.NoError(t, g.Joins("Firm").Joins("Card").InnerJoins("Boss", g.Where(&gormPerson{Name: "boss of bob"})).Find(&people).Error)
	require.Len(t, people, 1)
	n.add("joined: %s", whole(people[0]))
	require.NoError(t, g.Joins("Firm").Order("gorm_people.id").Find(&people).Error)
	n.add("%d people, the second has no firm: %v", len(people), people[1].Firm == nil)
	var animals []gormAnimal
	require.NoError(t, g.Model(&people).Where("name like ?", "dog%").Order("name").Association("Animals").Find(&animals))
	require.Len(t, animals, 2)
	n.add("of several: %s %s, %d of all", animals[0].Name, animals[1].Name, g.Model(&people).Association("Animals").Count())
	require.Error(t, g.Preload("Nothing").Find(&people).Error)
	require.Error(t, g.Model(&people).Association("Nothing").Error)
	n.add("one for several: %v", g.Model(&people).Association("Animals").Append(&gormAnimal{}))
}

// saves updates a person with what belongs to it, and deletes it.
func saves(t *testing.T, g *gorm.DB, n *notes, p *gormPerson, load func(uint) string) {
	p.Card.Number, p.Animals[0].Name, p.Firm.Name = "new card", "new cat", "new firm"
	require.NoError(t, g.Save(p).Error)
	n.add("saved: %s", load(p.ID))
	require.NoError(t, g.Session(&gorm.Session{FullSaveAssociations: true}).Save(p).Error)
	n.add("saved in full: %s", load(p.ID))
	require.NoError(t, g.Omit("Animals", "Tongues.*").Create(&gormPerson{Name: "omits", Animals: []*gormAnimal{{Name: "omitted"}},
		Tongues: []gormTongue{{"en", "English"}}}).Error)
	err := g.Omit("Tongues.*").Create(&gormPerson{Name: "dangling", Tongues: []gormTongue{{"zz", "not there"}}}).Error
	require.Error(t, err)
	require.ErrorIs(t, g.First(&gormPerson{}, "name = ?", "dangling").Error, gorm.ErrRecordNotFound, "it is rolled back")
	var omits gormPerson
	require.NoError(t, g.Preload(clause.Associations).First(&omits, "name = ?", "omits").Error)
	n.add("omits: %s", whole(omits))
	require.NoError(t, g.Model(p).Association("Animals").Unscoped().Clear(), "it deletes them")
	require.NoError(t, g.Select("Card", "Tongues", "Toys").Delete(p).Error)
	var cards, toys, tongues int64
	require.NoError(t, g.Model(&gormCard{}).Where("person_id = ?", p.ID).Count(&cards).Error)
	require.NoError(t, g.Model(&gormToy{}).Where("owner_id = ? and owner_type = ?", p.ID, "gorm_people").Count(&toys).Error)
	require.NoError(t, g.Table("gorm_person_tongues").Where("gorm_person_id = ?", p.ID).Count(&tongues).Error)
	require.Zero(t, cards+toys+tongues)
	require.ErrorIs(t, g.First(&gormPerson{}, p.ID).Error, gorm.ErrRecordNotFound)
	require.NoError(t, g.Unscoped().First(&gormPerson{}, p.ID).Error)
	var left int64
	require.NoError(t, g.Model(&gormAnimal{}).Count(&left).Error)
	n.add("deleted: %d animals are left", left)
}

// manyAtOnce creates and changes associations from many callers, who share the tongues.
func manyAtOnce(t *testing.T, ctx context.Context, g *gorm.DB) {
	fns := make([]func() error, 8)
	for i := range fns {
		name := fmt.Sprintf("caller %d", i)
		fns[i] = func() error {
			p := person(name)
			if err := g.Create(p).Error; err != nil {
				return err
			}
			if err := g.Model(p).Association("Friends").Append(&gormPerson{Name: "late friend of " + name}); err != nil {
				return err
			}
			if count := g.Model(p).Association("Friends").Count(); count != 2 {
				return fmt.Errorf("%s has %d friends", name, count)
			}
			return g.Model(p).Association("Tongues").Delete(&gormTongue{Code: "de"})
		}
	}
	together(t, ctx, fns)
	var people []gormPerson
	require.NoError(t, g.Preload("Tongues").Preload("Friends").Preload("Team").Where("name like ?", "caller%").Find(&people).Error)
	require.Len(t, people, len(fns))
	for _, p := range people {
		require.Len(t, p.Tongues, 1, p.Name)
		require.Len(t, p.Friends, 2, p.Name)
		require.Len(t, p.Team, 2, p.Name)
	}
}
