// Proxy sends every request to where a file says at that moment, so that Where2Eat
// can change from one slot to the other between two requests:
//
//	proxy -listen 127.0.0.1:8090 -follow ~/.local/share/where2eat/active/address
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "proxy:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("proxy", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:8090", "where it answers")
	file := flags.String("follow", "", "`file` that holds the host and port to send requests to")
	if err := flags.Parse(args); err != nil {
		return err
	}
	server := &http.Server{Addr: *listen, Handler: follow(*file), ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
		return server.Close()
	}
}

// follow sends each request to the address that the file holds by then. The host that
// was asked for stays as it was: Where2Eat compares it with where a form comes from.
func follow(file string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		address, err := os.ReadFile(file)
		if err != nil {
			http.Error(w, "nothing is active yet", http.StatusBadGateway)
			return
		}
		target := &url.URL{Scheme: "http", Host: strings.TrimSpace(string(address))}
		proxy := httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(target)
			p.Out.Host = p.In.Host
			p.SetXForwarded()
		}}
		proxy.ServeHTTP(w, r)
	})
}
