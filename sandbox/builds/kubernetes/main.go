// Command kubernetes is the programs of a control plane in one: kube-apiserver, kube-controller-manager and kube-proxy,
// each by the name under which it is started. It wires the released packages as the original commands do. Linking is what
// is saved: one program takes as long as each of the three.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	_ "time/tzdata" // The time zones of CronJobs.

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
)

var programs = map[string]func() *cobra.Command{
	"kube-apiserver":          apiserver.NewAPIServerCommand,
	"kube-controller-manager": controllers.NewControllerManagerCommand,
	"kube-proxy":              proxy.NewProxyCommand,
}

func main() {
	name := filepath.Base(os.Args[0])
	command := programs[name]
	if command == nil {
		fmt.Fprintf(os.Stderr, "%s: start it as kube-apiserver, kube-controller-manager or kube-proxy\n", name)
		os.Exit(2)
	}
	os.Exit(cli.Run(command()))
}
