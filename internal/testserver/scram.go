package testserver

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

// quickSecret returns a password the way PostgreSQL stores it for SCRAM, which a server takes in
// place of the password. With one round of hashing instead of 4096, a login is the same exchange of
// messages and proves as much, but costs neither side milliseconds of computing, many more under
// the race detector. Tests make thousands of connections.
func quickSecret(password string) (string, error) {
	const rounds = 1
	salt := []byte("repaint's salt..")
	salted, err := pbkdf2.Key(sha256.New, password, salt, rounds, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("testserver: hashing PostgreSQL's password: %w", err)
	}
	mac := func(text string) []byte {
		h := hmac.New(sha256.New, salted)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	stored := sha256.Sum256(mac("Client Key"))
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", rounds, b64(salt), b64(stored[:]), b64(mac("Server Key"))), nil
}
