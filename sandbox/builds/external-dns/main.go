// external-dns for Google Cloud DNS: its own sources, plan, registry and provider, in the loop of its controller.
//
// The upstream main, and with it its package `controller`, has the provider of every DNS service there is, which takes
// longer to build than all the rest and needs modules that some proxies do not have.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	log "github.com/sirupsen/logrus"

	"sigs.k8s.io/external-dns/endpoint"
	"sigs.k8s.io/external-dns/pkg/apis/externaldns"
	"sigs.k8s.io/external-dns/plan"
	"sigs.k8s.io/external-dns/provider/google"
	"sigs.k8s.io/external-dns/registry"
	"sigs.k8s.io/external-dns/registry/txt"
	"sigs.k8s.io/external-dns/source"
	"sigs.k8s.io/external-dns/source/annotations"
	"sigs.k8s.io/external-dns/source/wrappers"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	cfg := externaldns.NewConfig()
	check(cfg.ParseFlags(os.Args[1:]))
	annotations.SetAnnotationPrefix(cfg.AnnotationPrefix)
	level, err := log.ParseLevel(cfg.LogLevel)
	check(err)
	log.SetLevel(level)

	given, err := source.NewSourceConfig(cfg)
	check(err)
	wanted, err := wrappers.Build(ctx, given)
	check(err)
	domains := endpoint.NewDomainFilterWithOptions(endpoint.WithDomainFilter(cfg.DomainFilter))
	cloud, err := google.New(ctx, cfg, domains)
	check(err)
	owned, err := txt.New(cfg, cloud)
	check(err)

	ticker := time.NewTicker(cfg.Interval)
	for {
		check(round(ctx, cfg, wanted, owned, domains))
		log.Info("round done")
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// round is Controller.RunOnce without its metrics and events.
func round(
	ctx context.Context, cfg *externaldns.Config, wanted source.Source, owned registry.Registry,
	domains *endpoint.DomainFilter,
) error {
	current, err := owned.Records(ctx)
	if err != nil {
		return err
	}
	desired, err := wanted.Endpoints(ctx)
	if err != nil {
		return err
	}
	if desired, err = owned.AdjustEndpoints(desired); err != nil {
		return err
	}
	planned := &plan.Plan{
		Policies:       []plan.Policy{plan.Policies[cfg.Policy]},
		Current:        current,
		Desired:        desired,
		DomainFilter:   endpoint.MatchAllDomainFilters{domains, owned.GetDomainFilter()},
		ManagedRecords: cfg.ManagedDNSRecordTypes,
		ExcludeRecords: cfg.ExcludeDNSRecordTypes,
		OwnerID:        owned.OwnerID(),
		OldOwnerID:     cfg.TXTOwnerOld,
	}
	changes := planned.Calculate().Changes
	if !changes.HasChanges() {
		return nil
	}
	return owned.ApplyChanges(ctx, changes)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
