// Command cert-manager is the five cert-manager binaries in one: cert-manager-controller, -webhook, -cainjector,
// -acmesolver and -startupapicheck, each by the name under which it is started. It wires the packages of the released module and adds nothing
// to them, so that the sandbox runs the code that production runs, with the arguments that the Helm chart passes.
//
// Left out: the Vault and Venafi issuers, ListenerSets, profiling and metrics over TLS. Of configuration files (the chart's
// "config" values), the controller's own is read, and of it only how much is done at once and whether the Gateway API is
// read: cert-manager's decoder imports every issuer, and with Venafi's a client library that the Go module proxy does not
// serve. Flags and keys that belong to what is left out, or that neither the chart's defaults nor a stack here pass, are
// refused as unknown, never ignored.
package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cert-manager/cert-manager/internal/cmd/util"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/spf13/pflag"
	ctrl "sigs.k8s.io/controller-runtime"
)

// component runs one of cert-manager's binaries with its arguments, until it is done or the context ends.
type component func(ctx context.Context, args []string) error

var components = map[string]component{
	"acmesolver":      runACMESolver,
	"cainjector":      runCAInjector,
	"controller":      runController,
	"startupapicheck": runStartupAPICheck,
	"webhook":         runWebhook,
}

// program is the name under which the command was started.
var program = filepath.Base(os.Args[0])

func main() {
	run := components[strings.TrimPrefix(program, "cert-manager-")]
	if run == nil {
		names := slices.Sorted(maps.Keys(components))
		fmt.Fprintf(os.Stderr, "%s: start it as cert-manager-{%s}\n", program, strings.Join(names, ","))
		os.Exit(2)
	}

	ctx, exit := util.SetupExitHandler(context.Background(), util.GracefulShutdown)
	defer exit() // Deferred first, so run last: it may end the process.

	logf.InitLogs()
	defer logf.FlushLogs()
	ctrl.SetLogger(logf.Log)
	ctx = logf.NewContext(ctx, logf.Log, program)

	err := run(ctx, os.Args[1:])
	if err != nil && !errors.Is(err, pflag.ErrHelp) {
		logf.FromContext(ctx).Error(err, "exiting")
		util.SetExitCode(err)
	}
}
