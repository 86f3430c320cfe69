package main

import (
	"fmt"

	"github.com/cert-manager/cert-manager/internal/apis/config/shared"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	utilfeature "github.com/cert-manager/cert-manager/pkg/util/feature"
	"github.com/spf13/pflag"
	logsapi "k8s.io/component-base/logs/api/v1"
)

// newFlags returns an empty set that is named in its usage as the component was started.
func newFlags() *pflag.FlagSet {
	return pflag.NewFlagSet(program, pflag.ContinueOnError)
}

// parse reads the arguments and puts feature gates and logging in force.
func parse(flags *pflag.FlagSet, args []string, gates *map[string]bool, logging *logsapi.LoggingConfiguration) error {
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected arguments %q", flags.Args())
	}
	if err := utilfeature.DefaultMutableFeatureGate.SetFromMap(*gates); err != nil {
		return fmt.Errorf("feature gates: %w", err)
	}
	return logf.ValidateAndApply(logging)
}

func leaderElectionFlags(flags *pflag.FlagSet, c *shared.LeaderElectionConfig) {
	flags.StringVar(&c.Namespace, "leader-election-namespace", c.Namespace, "Namespace of the lease")
	flags.DurationVar(&c.LeaseDuration, "leader-election-lease-duration", c.LeaseDuration, "Validity of the lease")
	flags.DurationVar(&c.RenewDeadline, "leader-election-renew-deadline", c.RenewDeadline, "Give up renewing after this")
	flags.DurationVar(&c.RetryPeriod, "leader-election-retry-period", c.RetryPeriod, "Time between two attempts")
}
