package main

import (
	"fmt"
	"os"
	"time"

	"github.com/cert-manager/cert-manager/internal/apis/config/shared"
	sharedvalidation "github.com/cert-manager/cert-manager/internal/apis/config/shared/validation"
	cm "github.com/cert-manager/cert-manager/pkg/apis/certmanager"
	"github.com/cert-manager/cert-manager/pkg/controller"
	dnsutil "github.com/cert-manager/cert-manager/pkg/issuer/acme/dns/util"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	cliflag "k8s.io/component-base/cli/flag"
	"k8s.io/component-base/logs"
	"sigs.k8s.io/yaml"
)

// configFile is what a configuration file may say here, by the names of controller.config.cert-manager.io/v1alpha1: how
// much is done at once, and whether the Gateway API is read.
type configFile struct {
	metav1.TypeMeta `json:",inline"`

	KubernetesAPIBurst        int     `json:"kubernetesAPIBurst,omitempty"`
	KubernetesAPIQPS          float32 `json:"kubernetesAPIQPS,omitempty"`
	NumberOfConcurrentWorkers int     `json:"numberOfConcurrentWorkers,omitempty"`

	GatewayAPI struct {
		Enabled bool `json:"enabled,omitempty"`
	} `json:"gatewayAPI,omitzero"`
}

// controllerConfig is what the controller is told: the options of its control loops, and how they are run.
type controllerConfig struct {
	controller.ContextOptions

	leaderElection shared.LeaderElectionConfig
	workers        int
}

// newControllerConfig reads the arguments. The defaults are the controller's own: the package that holds them cannot be
// imported, see main.go.
func newControllerConfig(args []string) (*controllerConfig, error) {
	c := &controllerConfig{
		ContextOptions: controller.ContextOptions{
			KubernetesAPIBurst: 50,
			KubernetesAPIQPS:   20,
			ACMEOptions: controller.ACMEOptions{
				ACMEHTTP01SolverRunAsNonRoot:      true,
				DNS01CheckRetryPeriod:             10 * time.Second,
				DNS01Nameservers:                  dnsutil.RecursiveNameservers,
				HTTP01SolverResourceLimitsCPU:     resource.MustParse("100m"),
				HTTP01SolverResourceLimitsMemory:  resource.MustParse("64Mi"),
				HTTP01SolverResourceRequestCPU:    resource.MustParse("10m"),
				HTTP01SolverResourceRequestMemory: resource.MustParse("64Mi"),
			},
			CertificateOptions: controller.CertificateOptions{
				CertificateRequestMaximumBackoffDuration: 32 * time.Hour,
				CertificateRequestMinimumBackoffDuration: time.Hour,
				CopiedAnnotationPrefixes: []string{
					"*", "-kubectl.kubernetes.io/", "-fluxcd.io/", "-argocd.argoproj.io/",
				},
			},
			IngressShimOptions: controller.IngressShimOptions{
				DefaultAutoCertificateAnnotations: []string{"kubernetes.io/tls-acme"},
				DefaultIssuerGroup:                cm.GroupName,
				DefaultIssuerKind:                 "Issuer",
			},
			IssuerOptions: controller.IssuerOptions{
				ClusterIssuerAmbientCredentials: true,
				ClusterResourceNamespace:        "kube-system",
			},
			SchedulerOptions: controller.SchedulerOptions{MaxConcurrentChallenges: 60},
		},
		leaderElection: shared.LeaderElectionConfig{
			Enabled:       true,
			Namespace:     "kube-system",
			LeaseDuration: 60 * time.Second,
			RenewDeadline: 40 * time.Second,
			RetryPeriod:   15 * time.Second,
		},
		workers: 5,
	}
	gates, logging := map[string]bool{}, logs.NewOptions()
	flags := newFlags()
	controllerFlags(flags, c)
	flags.Var(cliflag.NewMapStringBool(&gates), "feature-gates", "Feature gates, as name=bool pairs")
	logf.AddFlags(logging, flags)
	recursiveOnly := flags.Bool("dns01-recursive-nameservers-only", false,
		"The DNS-01 self-check asks no others, not even the authoritative ones")
	file := flags.String("config", "", "Path of a configuration file")
	if err := parse(flags, args, &gates, logging); err != nil {
		return nil, err
	}
	if *file != "" {
		if err := c.read(*file); err != nil {
			return nil, fmt.Errorf("configuration file %s: %w", *file, err)
		}
	}
	c.DNS01CheckAuthoritative = !*recursiveOnly
	if errs := sharedvalidation.ValidateLeaderElectionConfig(&c.leaderElection, nil); len(errs) > 0 {
		return nil, fmt.Errorf("leader election: %w", errs.ToAggregate())
	}
	return c, nil
}

// read takes over what a configuration file says.
func (c *controllerConfig) read(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	file := configFile{
		KubernetesAPIBurst:        c.KubernetesAPIBurst,
		KubernetesAPIQPS:          c.KubernetesAPIQPS,
		NumberOfConcurrentWorkers: c.workers,
	}
	if err := yaml.UnmarshalStrict(content, &file); err != nil {
		return err
	}
	c.KubernetesAPIBurst = file.KubernetesAPIBurst
	c.KubernetesAPIQPS = file.KubernetesAPIQPS
	c.workers = file.NumberOfConcurrentWorkers
	c.EnableGatewayAPI = file.GatewayAPI.Enabled
	return nil
}

// controllerFlags are those that the chart passes and those that shorten waits.
func controllerFlags(flags *pflag.FlagSet, c *controllerConfig) {
	flags.StringVar(&c.ClusterResourceNamespace, "cluster-resource-namespace", c.ClusterResourceNamespace,
		"Namespace of what ClusterIssuers own, such as account keys")
	flags.IntVar(&c.MaxConcurrentChallenges, "max-concurrent-challenges", c.MaxConcurrentChallenges,
		"How many challenges may be processing at once")
	leaderElectionFlags(flags, &c.leaderElection)

	flags.BoolVar(&c.EnableOwnerRef, "enable-certificate-owner-ref", false,
		"Delete a certificate's Secret with its Certificate")
	flags.DurationVar(&c.CertificateRequestMinimumBackoffDuration, "certificate-request-minimum-backoff-duration",
		c.CertificateRequestMinimumBackoffDuration, "First pause after a failed issuance; it doubles each time")
	flags.DurationVar(&c.CertificateRequestMaximumBackoffDuration, "certificate-request-maximum-backoff-duration",
		c.CertificateRequestMaximumBackoffDuration, "Longest pause after a failed issuance")

	flags.StringVar(&c.HTTP01SolverImage, "acme-http01-solver-image", "", "Image of the solver Pods")
	flags.StringVar(&c.HTTP01SolverRuntimeClassName, "acme-http01-solver-runtime-class-name", "",
		"RuntimeClass of the solver Pods")
	flags.Var(cliflag.NewMapStringString(&c.HTTP01SolverExtraLabels), "acme-http01-solver-extra-labels",
		"Labels for what solves a challenge, as key=value pairs")
	flags.StringSliceVar(&c.HTTP01SolverNameservers, "acme-http01-solver-nameservers", nil,
		"Name servers (host:port) that the HTTP-01 self-check asks")
	flags.StringSliceVar(&c.DNS01Nameservers, "dns01-recursive-nameservers", c.DNS01Nameservers,
		"Name servers (host:port, or an https URL) that the DNS-01 self-check asks")
	flags.DurationVar(&c.DNS01CheckRetryPeriod, "dns01-check-retry-period", c.DNS01CheckRetryPeriod,
		"Time between two self-checks, of HTTP-01 challenges too")

	flags.StringVar(&c.DefaultIssuerName, "default-issuer-name", "", "Issuer for Ingresses that name none")
	flags.StringVar(&c.DefaultIssuerKind, "default-issuer-kind", c.DefaultIssuerKind, "Kind of that issuer")
	flags.StringVar(&c.DefaultIssuerGroup, "default-issuer-group", c.DefaultIssuerGroup, "API group of that issuer")
}
