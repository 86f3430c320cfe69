package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/util/cmapichecker"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/component-base/logs"
)

const checkInterval = 5 * time.Second

// runStartupAPICheck waits until the API server accepts cert-manager's resources through the webhook: the chart's
// post-install hook runs it as "check api".
func runStartupAPICheck(ctx context.Context, args []string) error {
	logging := logs.NewOptions()
	flags := newFlags()
	timeout := flags.Duration("wait", 0, "How long to wait until the API is ready; 0 asks once")
	logf.AddFlagsNonDeprecated(logging, flags)
	flags.Lookup("v").NoOptDefVal = "2" // The chart passes a bare -v.
	if err := flags.Parse(args); err != nil {
		return err
	}
	if !slices.Equal(flags.Args(), []string{"check", "api"}) {
		return fmt.Errorf("usage: startupapicheck check api [flags], not %q", flags.Args())
	}
	if err := logf.ValidateAndApply(logging); err != nil {
		return err
	}

	rules, overrides := clientcmd.NewDefaultClientConfigLoadingRules(), &clientcmd.ConfigOverrides{}
	clients := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides)
	rest, err := clients.ClientConfig()
	if err != nil {
		return err
	}
	target, _, err := clients.Namespace()
	if err != nil {
		return err
	}
	checker, err := cmapichecker.New(rest, target)
	if err != nil {
		return err
	}
	return waitForAPI(ctx, checker, *timeout)
}

func waitForAPI(ctx context.Context, checker cmapichecker.Interface, timeout time.Duration) error {
	log := logf.FromContext(ctx)
	start := time.Now()
	return wait.PollUntilContextCancel(ctx, checkInterval, true, func(ctx context.Context) (bool, error) {
		err := checker.Check(ctx)
		if err == nil {
			fmt.Println("The cert-manager API is ready")
			return true, nil
		}
		if simple := cmapichecker.TranslateToSimpleError(err); simple != nil {
			err = fmt.Errorf("%w (%w)", simple, err)
		}
		if time.Since(start) >= timeout {
			return false, fmt.Errorf("the cert-manager API is not ready after %s: %w", timeout, err)
		}
		log.V(logf.DebugLevel).Info("Not ready", "err", err)
		return false, nil
	})
}
