package main

import (
	"context"

	"github.com/cert-manager/cert-manager/pkg/issuer/acme/http/solver"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
)

// runACMESolver answers one HTTP-01 challenge.
func runACMESolver(ctx context.Context, args []string) error {
	var server solver.HTTP01Solver
	flags := newFlags()
	flags.IntVar(&server.ListenPort, "listen-port", 8089, "Port to listen on")
	flags.StringVar(&server.Domain, "domain", "", "Domain name that is validated")
	flags.StringVar(&server.Token, "token", "", "Token of the challenge")
	flags.StringVar(&server.Key, "key", "", "Key authorization to answer with")
	if err := flags.Parse(args); err != nil {
		return err
	}

	listen := func() error { return server.Listen(logf.FromContext(ctx)) }
	return serve(ctx, listen, server.Shutdown)
}
