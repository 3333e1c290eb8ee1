package auth

import (
	"context"
	"encoding/json"

	"github.com/revenge-media/revenge/core/access"
	"github.com/revenge-media/revenge/core/attempts"
	"github.com/revenge-media/revenge/core/domain"
	"github.com/revenge-media/revenge/core/fault"
	"github.com/revenge-media/revenge/ports/store"
)

// Open opens a session for an account that proved itself by other means than a password. A passkey is a second factor, too; after a provider's sign-in
// one is asked for where it is on.
func (s *Service) Open(ctx context.Context, userID domain.ID, method domain.SignInMethod, client domain.Client, o Options) (Outcome, error) {
	return s.issue(ctx, entry{
		user: userID, method: method, client: client, options: o, event: loginEvent(method),
		refused: fault.New(fault.Unauthenticated, CodeInvalidCredentials, "This account is closed."),
	})
}

func loginEvent(method domain.SignInMethod) domain.Activity {
	return domain.Activity{Action: domain.ActivityLogin, Details: map[string]string{"method": string(method)}}
}

func challengeInvalid() error {
	return fault.New(fault.Unauthenticated, CodeChallengeInvalid, "This sign-in took too long or was finished already. Sign in again.")
}

// VerifySecondFactor finishes a sign-in that a Challenge's token stands for. With trustDevice it also returns a token with which this device need not
// show the account's second factor again (S15), else "".
func (s *Service) VerifySecondFactor(ctx context.Context, token string, proof domain.FactorProof, trustDevice bool, client domain.Client) (SignedIn, string, error) {
	challenge, err := s.challenge(ctx, token)
	if err != nil {
		return SignedIn{}, "", err
	}
	var begun pending
	if err := json.Unmarshal(challenge.Data, &begun); err != nil {
		return SignedIn{}, "", err
	}
	method, err := s.verify(ctx, *challenge.UserID, proof, client)
	if err != nil {
		return SignedIn{}, "", err
	}
	event := loginEvent(begun.Method)
	event.Details["factor"] = string(method)
	var deviceToken string
	outcome, err := s.issue(ctx, entry{
		user: *challenge.UserID, method: begun.Method, client: client, factor: true, options: Options{OIDC: begun.OIDC}, event: event, refused: challengeInvalid(),
		within: func(ctx context.Context, tx store.Tx) error {
			if _, err := tx.Challenges.Take(ctx, purposeFactor, challenge.Hash, s.deps.Now()); fault.IsNotFound(err) {
				return challengeInvalid()
			} else if err != nil {
				return err
			}
			if deviceToken = ""; trustDevice {
				deviceToken, err = s.deps.Factors.TrustDevice(ctx, tx, *challenge.UserID, client)
			}
			return err
		},
	})
	if err != nil {
		return SignedIn{}, "", err
	}
	return *outcome.SignedIn, deviceToken, nil
}

func (s *Service) challenge(ctx context.Context, token string) (domain.Challenge, error) {
	c, err := s.deps.Store.Read().Challenges.Get(ctx, purposeFactor, challengeHash(token), s.deps.Now())
	if fault.IsNotFound(err) || (err == nil && c.UserID == nil) {
		return domain.Challenge{}, challengeInvalid()
	}
	return c, err
}

// ChallengeUser returns whose second factor a Challenge's token waits for: for ceremonies that begin with the server's question.
func (s *Service) ChallengeUser(ctx context.Context, token string) (domain.ID, error) {
	c, err := s.challenge(ctx, token)
	if err != nil {
		return domain.ID{}, err
	}
	return *c.UserID, nil
}

// verify checks a second factor and records one that is wrong.
func (s *Service) verify(ctx context.Context, user domain.ID, proof domain.FactorProof, client domain.Client) (domain.FactorMethod, error) {
	method, err := s.deps.Factors.Verify(ctx, user, proof, client)
	if fault.KindOf(err) != fault.Unauthenticated || err == nil {
		return method, err
	}
	owner, missing := s.deps.Store.Read().Users.Get(ctx, user)
	if missing != nil {
		return "", missing
	}
	if e := s.failed(ctx, &owner, client, map[string]string{"factor": string(proof.Method)}); e != nil {
		return "", e
	}
	return "", err
}

// Proof shows who one is once more: by password, or by a second factor, which sessions on trusted devices did not see yet.
type Proof struct {
	Password string
	Factor   *domain.FactorProof
}

// Reauthenticate replaces the actor's session by a new one whose owner was just seen to be who they are: sensitive changes ask for that (S9). The old one
// ends, with its tokens and streams (S7).
func (s *Service) Reauthenticate(ctx context.Context, actor domain.Actor, proof Proof, client domain.Client) (SignedIn, error) {
	if err := s.deps.Access.Authorize(ctx, actor, domain.PermissionEnrol); err != nil {
		return SignedIn{}, err
	}
	if err := access.Interactive(actor); err != nil {
		return SignedIn{}, err
	}
	user, err := s.deps.Store.Read().Users.Get(ctx, actor.UserID)
	if err != nil {
		return SignedIn{}, err
	}
	hash, err := s.deps.Store.Read().Users.PasswordHash(ctx, actor.UserID)
	if err != nil {
		return SignedIn{}, err
	}
	shown := "password"
	switch {
	case proof.Factor != nil:
		method, err := s.verify(ctx, actor.UserID, *proof.Factor, client)
		if err != nil {
			return SignedIn{}, err
		}
		shown = string(method)
	case hash != "":
		if err := s.reprove(ctx, user, hash, proof.Password, client); err != nil {
			return SignedIn{}, err
		}
	default:
		return SignedIn{}, fault.New(fault.Forbidden, CodeNoPassword, "Your account has no password. Show a second factor, or sign out and in again.")
	}
	return s.renew(ctx, actor, client, proof.Factor != nil, map[string]string{"method": shown}, func(ctx context.Context, tx store.Tx) error {
		return unchanged(ctx, tx, actor.UserID, hash)
	})
}

// reprove checks the password of somebody who is signed in.
func (s *Service) reprove(ctx context.Context, user domain.User, hash domain.PasswordHash, password string, client domain.Client) error {
	ok, err := s.deps.Attempts.Try(ctx, func(ctx context.Context) (ok bool, err error) {
		ok, _, err = s.deps.Hasher.Verify(ctx, password, hash)
		return ok, err
	}, attempts.Account(user.ID), attempts.Address(client.IP))
	if err != nil || ok {
		return err
	}
	if err := s.failed(ctx, &user, client, map[string]string{"reauthentication": "password"}); err != nil {
		return err
	}
	return fault.New(fault.Unauthenticated, CodeInvalidCredentials, "The password is wrong.")
}

// unchanged is nil while an account's password is still the one that was compared.
func unchanged(ctx context.Context, tx store.Tx, user domain.ID, hash domain.PasswordHash) error {
	current, err := tx.Users.PasswordHash(ctx, user)
	if fault.IsNotFound(err) || (err == nil && current != hash) {
		return invalidCredentials()
	}
	return err
}
