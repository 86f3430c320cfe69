package main

import (
	"context"
	"fmt"
	"time"

	config "github.com/cert-manager/cert-manager/internal/apis/config/cainjector"
	configscheme "github.com/cert-manager/cert-manager/internal/apis/config/cainjector/scheme"
	"github.com/cert-manager/cert-manager/internal/apis/config/cainjector/validation"
	_ "github.com/cert-manager/cert-manager/internal/cainjector/feature"
	configv1alpha1 "github.com/cert-manager/cert-manager/pkg/apis/config/cainjector/v1alpha1"
	cmscheme "github.com/cert-manager/cert-manager/pkg/client/clientset/versioned/scheme"
	"github.com/cert-manager/cert-manager/pkg/controller/cainjector"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/util"
	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	cliflag "k8s.io/component-base/cli/flag"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// crdTimeout bounds the wait for the Certificate CRD, which the chart creates beside the cainjector.
const crdTimeout = 5 * time.Minute

// runCAInjector writes CA bundles into the webhook configurations, CRDs and APIServices that ask for them.
func runCAInjector(ctx context.Context, args []string) error {
	cfg, err := cainjectorConfig()
	if err != nil {
		return err
	}
	flags := newFlags()
	cainjectorFlags(flags, cfg)
	if err := parse(flags, args, &cfg.FeatureGates, &cfg.Logging); err != nil {
		return err
	}
	if errs := validation.ValidateCAInjectorConfiguration(cfg, nil); len(errs) > 0 {
		return errs.ToAggregate()
	}

	manager, err := newCAInjectorManager(cfg)
	if err != nil {
		return err
	}
	if err := waitForCertificateCRD(ctx, manager); err != nil {
		return err
	}
	injectables := cfg.EnableInjectableConfig
	if err := cainjector.RegisterAllInjectors(ctx, manager, cainjector.SetupOptions{
		EnableCertificatesDataSource: cfg.EnableDataSourceConfig.Certificates,
		EnabledReconcilersFor: map[string]bool{
			cainjector.MutatingWebhookConfigurationName:   injectables.MutatingWebhookConfigurations,
			cainjector.ValidatingWebhookConfigurationName: injectables.ValidatingWebhookConfigurations,
			cainjector.APIServiceName:                     injectables.APIServices,
			cainjector.CustomResourceDefinitionName:       injectables.CustomResourceDefinitions,
		},
	}); err != nil {
		return fmt.Errorf("registering injectors: %w", err)
	}
	return manager.Start(ctx)
}

// cainjectorConfig returns cert-manager's own defaults.
func cainjectorConfig() (*config.CAInjectorConfiguration, error) {
	schemes, _, err := configscheme.NewSchemeAndCodecs()
	if err != nil {
		return nil, err
	}
	versioned, cfg := &configv1alpha1.CAInjectorConfiguration{}, &config.CAInjectorConfiguration{}
	schemes.Default(versioned)
	return cfg, schemes.Convert(versioned, cfg, nil)
}

func cainjectorFlags(flags *pflag.FlagSet, c *config.CAInjectorConfiguration) {
	flags.Var(cliflag.NewMapStringBool(&c.FeatureGates), "feature-gates", "Feature gates, as name=bool pairs")
	flags.StringVar(&c.MetricsListenAddress, "metrics-listen-address", c.MetricsListenAddress, "0 turns metrics off")
	leaderElectionFlags(flags, &c.LeaderElectionConfig)
	logf.AddFlags(&c.Logging, flags)
}

func newCAInjectorManager(cfg *config.CAInjectorConfiguration) (ctrl.Manager, error) {
	account, err := rest.InClusterConfig()
	if err != nil {
		return nil, err
	}
	schemes := runtime.NewScheme()
	utilruntime.Must(scheme.AddToScheme(schemes))
	utilruntime.Must(cmscheme.AddToScheme(schemes))
	utilruntime.Must(apiextensions.AddToScheme(schemes))
	utilruntime.Must(apiregistration.AddToScheme(schemes))

	return ctrl.NewManager(util.RestConfigWithUserAgent(account, "cainjector"), ctrl.Options{
		Scheme: schemes,
		Cache:  cache.Options{ReaderFailOnMissingInformer: true},
		// Secrets are watched by metadata and read one by one: a cache of them would hold every Secret of the cluster.
		Client:                        client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
		LeaderElection:                cfg.LeaderElectionConfig.Enabled,
		LeaderElectionNamespace:       cfg.LeaderElectionConfig.Namespace,
		LeaderElectionID:              "cert-manager-cainjector-leader-election",
		LeaderElectionLabels:          map[string]string{"app.kubernetes.io/managed-by": "cert-manager-cainjector"},
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 &cfg.LeaderElectionConfig.LeaseDuration,
		RenewDeadline:                 &cfg.LeaderElectionConfig.RenewDeadline,
		RetryPeriod:                   &cfg.LeaderElectionConfig.RetryPeriod,
		Metrics:                       metricsserver.Options{BindAddress: cfg.MetricsListenAddress},
	})
}

func waitForCertificateCRD(ctx context.Context, manager ctrl.Manager) error {
	const name = "certificates.cert-manager.io"
	direct, err := client.New(manager.GetConfig(), client.Options{Scheme: manager.GetScheme()})
	if err != nil {
		return err
	}
	err = wait.PollUntilContextTimeout(ctx, time.Second, crdTimeout, true, func(ctx context.Context) (bool, error) {
		err := direct.Get(ctx, types.NamespacedName{Name: name}, &apiextensions.CustomResourceDefinition{})
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return fmt.Errorf("waiting up to %s for the CRD %s: %w", crdTimeout, name, err)
	}
	return nil
}
