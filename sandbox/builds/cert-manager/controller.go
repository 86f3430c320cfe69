package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/cert-manager/cert-manager/pkg/controller"
	_ "github.com/cert-manager/cert-manager/pkg/controller/acmechallenges"
	_ "github.com/cert-manager/cert-manager/pkg/controller/acmeorders"
	gateways "github.com/cert-manager/cert-manager/pkg/controller/certificate-shim/gateways"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificate-shim/ingresses"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/acme"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/approver"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/ca"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/issuing"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/keymanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/metrics"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/readiness"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/requestmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/revisionmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/trigger"
	_ "github.com/cert-manager/cert-manager/pkg/controller/clusterissuers"
	_ "github.com/cert-manager/cert-manager/pkg/controller/issuers"
	"github.com/cert-manager/cert-manager/pkg/healthz"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/acme"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/ca"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/selfsigned"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/util"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

const (
	healthAddress  = "0.0.0.0:9403"
	metricsAddress = "0.0.0.0:9402"
	// leaderHealthTimeout is how long after the lease's end the liveness probe still answers well, as in kube-controller-manager.
	leaderHealthTimeout = 20 * time.Second
	// shutdownTimeout bounds how long a server may take to finish its requests.
	shutdownTimeout = 5 * time.Second
)

// runController runs the control loops that issue certificates.
func runController(ctx context.Context, args []string) error {
	cfg, err := newControllerConfig(args)
	if err != nil {
		return err
	}
	logf.FromContext(ctx).Info("starting cert-manager controller", "version", util.VersionInfo().GitVersion)

	group, ctx := errgroup.WithContext(ctx)
	factory, err := controller.NewContextFactory(ctx, cfg.ContextOptions)
	if err != nil {
		return err
	}
	base, err := factory.Build()
	if err != nil {
		return err
	}

	health := healthz.NewServer(leaderHealthTimeout)
	var listen net.ListenConfig
	healthListener, err := listen.Listen(ctx, "tcp", healthAddress)
	if err != nil {
		return fmt.Errorf("health endpoint: %w", err)
	}
	metricsListener, err := listen.Listen(ctx, "tcp", metricsAddress)
	if err != nil {
		return fmt.Errorf("metrics endpoint: %w", err)
	}
	group.Go(func() error { return health.Start(ctx, healthListener) })
	group.Go(func() error { return serveMetrics(ctx, base, metricsListener) })

	lead := func(ctx context.Context) error { return runLoops(ctx, cfg, factory, base) }
	group.Go(func() error { return elect(ctx, cfg, factory, health, lead) })
	return group.Wait()
}

// serveMetrics exports what the informers of the controllers see.
func serveMetrics(ctx context.Context, base *controller.Context, listener net.Listener) error {
	certificates := base.SharedInformerFactory.Certmanager().V1()
	base.Metrics.SetupACMECollector(base.SharedInformerFactory.Acme().V1().Challenges().Lister())
	base.Metrics.SetupCertificateCollector(certificates.Certificates().Lister())
	base.Metrics.SetupIssuerCollector(certificates.Issuers().Lister())
	base.Metrics.SetupClusterIssuerCollector(certificates.ClusterIssuers().Lister())

	server := base.Metrics.NewServer(listener)
	return serve(ctx, func() error { return server.Serve(listener) }, server.Shutdown)
}

// serve runs a server until the context ends, and then shuts it down.
func serve(ctx context.Context, run func() error, shutdown func(context.Context) error) error {
	stopped := make(chan error, 1)
	context.AfterFunc(ctx, func() {
		bounded, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
		defer cancel()
		stopped <- shutdown(bounded)
	})
	if err := run(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

// elect runs lead once this process holds the lease, and returns when it is done or the lease is lost.
func elect(
	ctx context.Context,
	cfg *controllerConfig,
	factory *controller.ContextFactory,
	health *healthz.Server,
	lead func(context.Context) error,
) error {
	elector, err := factory.Build("leader-election")
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	election := cfg.leaderElection
	lock, err := resourcelock.NewWithLabels(
		resourcelock.LeasesResourceLock, election.Namespace, "cert-manager-controller",
		elector.Client.CoreV1(), elector.Client.CoordinationV1(),
		resourcelock.ResourceLockConfig{
			Identity:      host + "-external-cert-manager-controller",
			EventRecorder: elector.Recorder,
		},
		map[string]string{"app.kubernetes.io/managed-by": "cert-manager"},
	)
	if err != nil {
		return err
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	done <- nil // Never elected: nothing ran, nothing failed.
	candidate, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock:            lock,
		LeaseDuration:   election.LeaseDuration,
		RenewDeadline:   election.RenewDeadline,
		RetryPeriod:     election.RetryPeriod,
		ReleaseOnCancel: true,
		WatchDog:        health.LeaderHealthzAdaptor,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(leading context.Context) {
				<-done
				defer cancel() // A loop that failed gives the lease back.
				done <- lead(leading)
			},
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return err
	}
	candidate.Run(ctx)
	lost := ctx.Err() == nil
	if err := <-done; err != nil {
		return err
	}
	if lost {
		return errors.New("leader election lost")
	}
	return nil
}

// runLoops starts the control loops of the packages imported above, then the informers that feed them. That of Gateways
// needs their CRDs.
func runLoops(
	ctx context.Context, cfg *controllerConfig, factory *controller.ContextFactory, base *controller.Context,
) error {
	group, ctx := errgroup.WithContext(ctx)
	for name, construct := range controller.Known() {
		if name == gateways.ControllerName && !cfg.EnableGatewayAPI {
			continue
		}
		loop, err := construct(factory)
		if err != nil {
			return fmt.Errorf("controller %s: %w", name, err)
		}
		group.Go(func() error { return loop.Run(cfg.workers, ctx) })
	}
	base.SharedInformerFactory.Start(ctx.Done())
	base.KubeSharedInformerFactory.Start(ctx.Done())
	base.HTTP01ResourceMetadataInformersFactory.Start(ctx.Done())
	if base.GatewaySolverEnabled {
		base.GWShared.Start(ctx.Done())
	}
	return group.Wait()
}
