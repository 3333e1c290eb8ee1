package mailing

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	htmltemplate "html/template"
	"path"
	"regexp"
	"strings"
	texttemplate "text/template"
)

// Template names what a mail is about. Behind each stand the values of Message.Data that its texts use; "name" is always the person's name.
type Template string

// The templates.
const (
	Invitation          Template = "invitation"          // link, inviter, expires
	VerifyEmail         Template = "verifyEmail"         // link, expires
	ConfirmEmailChange  Template = "confirmEmailChange"  // link, email (the new one), expires
	ResetPassword       Template = "resetPassword"       // link, expires, ip
	PasswordChanged     Template = "passwordChanged"     // when, ip, device
	EmailChanged        Template = "emailChanged"        // email (the new one), when; goes to the old address
	NewDevice           Template = "newDevice"           // device, ip, when
	SecondFactorChanged Template = "secondFactorChanged" // change (a key of the texts), when, ip, device
	BackupCodeUsed      Template = "backupCodeUsed"      // remaining, when, ip, device
	AccountDeleted      Template = "accountDeleted"      // purgeAt
	AddressInUse        Template = "addressInUse"        // when; somebody wanted an account with an address that has one
	Test                Template = "test"
)

// Templates are all of them.
var Templates = []Template{
	Invitation, VerifyEmail, ConfirmEmailChange, ResetPassword, PasswordChanged, EmailChanged, NewDevice, SecondFactorChanged, BackupCodeUsed, AccountDeleted, AddressInUse, Test,
}

var (
	//go:embed texts
	texts embed.FS
	// catalogues are the texts by language and key: "<template>.subject", ".text" (paragraphs, an empty line between two), ".button", and ".<value's name>.<value>" for values that are said in words.
	catalogues = loadCatalogues()

	htmlLayout = htmltemplate.Must(htmltemplate.ParseFS(texts, "texts/layout.html"))
	textLayout = texttemplate.Must(texttemplate.ParseFS(texts, "texts/layout.txt"))
)

func loadCatalogues() map[string]map[string]string {
	files, err := texts.ReadDir("texts")
	if err != nil {
		panic(err)
	}
	all := map[string]map[string]string{}
	for _, f := range files {
		language, isCatalogue := strings.CutSuffix(f.Name(), ".json")
		if !isCatalogue {
			continue
		}
		data, err := texts.ReadFile(path.Join("texts", f.Name()))
		if err != nil {
			panic(err)
		}
		catalogue := map[string]string{}
		if err := json.Unmarshal(data, &catalogue); err != nil {
			panic(f.Name() + ": " + err.Error())
		}
		all[language] = catalogue
	}
	return all
}

// written is a mail in one language.
type written struct{ subject, html, text string }

// page is what the layouts show.
type page struct {
	Language, Server, Title, Greeting string
	Paragraphs                        []string
	Button, Link, LinkHint            string
	Footer                            string
}

// write fills a message's texts in.
func write(m Message, server, language string) (written, error) {
	catalogue := catalogues[language]
	values := map[string]string{"server": server, "name": m.ToName}
	for name, value := range m.Data {
		if said, ok := catalogue[string(m.Template)+"."+name+"."+value]; ok {
			value = said // what happened, in the reader's language
		}
		values[name] = value
	}
	said := func(key string) string { text, _ := filled(catalogue[key], values); return text }
	name := string(m.Template)
	subject, complete := filled(catalogue[name+".subject"], values)
	if subject == "" || !complete {
		return written{}, fmt.Errorf("the mail %s in %s has no subject with %v", name, language, m.Data)
	}
	p := page{Language: language, Server: server, Title: subject, Greeting: said("greeting"), Footer: said("footer"), Link: values["link"]}
	if m.ToName == "" {
		p.Greeting = said("greetingNobody")
	}
	for paragraph := range strings.SplitSeq(catalogue[name+".text"], "\n\n") {
		if text, complete := filled(paragraph, values); complete {
			p.Paragraphs = append(p.Paragraphs, text)
		}
	}
	if p.Link != "" {
		p.Button, p.LinkHint = said(name+".button"), said("linkHint")
	}
	var html, text bytes.Buffer
	if err := htmlLayout.Execute(&html, p); err != nil {
		return written{}, err
	}
	if err := textLayout.Execute(&text, p); err != nil {
		return written{}, err
	}
	return written{subject: subject, html: html.String(), text: text.String()}, nil
}

var placeholder = regexp.MustCompile(`\{([a-zA-Z]+)\}`)

// filled puts values in place of {names}; complete is false when one is missing.
func filled(text string, values map[string]string) (_ string, complete bool) {
	complete = true
	return placeholder.ReplaceAllStringFunc(text, func(found string) string {
		value := values[found[1:len(found)-1]]
		if value == "" {
			complete = false
		}
		return value
	}), complete
}
