// Command mail-catcher takes mails on loopback and shows them as JSON over HTTP: GET /mails (?to= narrows), DELETE /mails. For tests in a browser.
// It prints its two addresses as JSON on one line and ends when its input does.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/revenge-media/revenge/testkit/smtptest"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	smtpAddress := flag.String("smtp", "127.0.0.1:0", "address of the mail server")
	httpAddress := flag.String("http", "127.0.0.1:0", "address of the mails as JSON")
	flag.Parse()
	catcher, err := smtptest.Listen(smtptest.Config{Address: *smtpAddress})
	if err != nil {
		return err
	}
	defer catcher.Close()
	listener, err := net.Listen("tcp", *httpAddress)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /mails", func(w http.ResponseWriter, r *http.Request) {
		mails := slices.DeleteFunc(catcher.Mails(), func(m smtptest.Mail) bool {
			to := r.URL.Query().Get("to")
			return to != "" && !slices.Contains(m.To, to)
		})
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"items": append([]smtptest.Mail{}, mails...)})
	})
	mux.HandleFunc("DELETE /mails", func(w http.ResponseWriter, _ *http.Request) {
		catcher.Clear()
		w.WriteHeader(http.StatusNoContent)
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	if err := json.NewEncoder(os.Stdout).Encode(map[string]any{"smtpPort": catcher.Port(), "url": "http://" + listener.Addr().String()}); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { _, err := io.Copy(io.Discard, os.Stdin); ended <- err }() // whoever started this holds its input open
	select {
	case err := <-served:
		return err
	case err := <-ended:
		return err
	}
}
